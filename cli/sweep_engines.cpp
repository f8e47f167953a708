#include "cli/sweep_engines.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/clean_up.hpp"
#include "base/config.hpp"
#include "base/error.hpp"
#include "base/shell.hpp"
#include "cli/interrupt.hpp"
#include "reports/output_file.hpp"

namespace stowage::cli {
namespace {
namespace fs = std::filesystem;
constexpr std::array<std::string_view, 3> engines = {"local", "slurm", "parallel"};
constexpr double task_s = 180;            // minutes each: short enough to lose, long enough to be worth starting
constexpr std::int64_t tasks_max = 1000;  // the usual MaxArraySize is 1,001

/// By what the first points take here, one after the other.
std::int64_t tasks_for(const Sweep& sweep, const Options& options) {
  const auto points = static_cast<std::int64_t>(sweep.space().size());
  if (options.tasks > 0) return std::min(options.tasks, points);
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  std::int64_t tried = 0;
  double seconds = 0;
  // Spread over the space: neighbours cost alike.
  for (; tried < 8 && seconds < 5; ++tried) {
    (void)sweep.record(static_cast<std::uint64_t>(tried * points / 8));
    seconds = std::chrono::duration<double>(Clock::now() - began).count();
  }
  const double all = seconds / static_cast<double>(tried) * static_cast<double>(points);
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(all / task_s) + 1, 1, std::min(points, tasks_max));
}

/// The command of one part, but for "--shard I/N", quoted for bash. All paths absolute: tasks start anywhere.
std::string part_command(const Options& options) {
  std::vector<std::string> words = {fs::read_symlink("/proc/self/exe").string(), "sweep",
                                    fs::absolute(options.inputs.front()).string()};
  for (const auto& set : options.set) words.insert(words.end(), {"--set", set});
  for (const auto& vary : options.vary) words.insert(words.end(), {"--vary", vary});
  if (options.seed) words.insert(words.end(), {"--seed", fmt::format("{}", *options.seed)});
  words.insert(words.end(), {"-o", fs::absolute(options.output).string(), "--quiet"});
  for (const auto& word : words) refuse_control_characters(word, "--engine " + options.engine);
  return shell_command(words);
}

/// Starts a program in a folder, its output going to stderr, and waits; a signal to us ends it too.
int run_program(const std::vector<std::string>& words, const fs::path& folder) {
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));  // NOLINT: execvp's signature
  argv.push_back(nullptr);
  pid_t child = -1;
  const CleanUp stop([&child] {
    if (child <= 0) return;
    ::kill(child, SIGTERM);
    ::waitpid(child, nullptr, 0);
  });
  {
    const Uninterrupted gate;
    child = ::fork();
    if (child < 0) throw EnvironmentError(fmt::format("cannot start {}: {}", words[0], std::strerror(errno)));
    if (child == 0) {
      default_signals();
      ::dup2(STDERR_FILENO, STDOUT_FILENO);
      if (::chdir(folder.c_str()) != 0) ::_exit(126);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
  }
  int status = 0;
  while (::waitpid(child, &status, 0) != child)
    if (errno != EINTR) throw EnvironmentError(fmt::format("{} was lost", words[0]));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void write_script(const fs::path& path, const std::string& text) {
  WholeFile script(path.string(), true);
  script.file().write(text);
  script.commit();
  fs::permissions(path, fs::perms::owner_exec | fs::perms::group_exec, fs::perm_options::add);
}

// What the user gave (paths, settings) stands in the scripts below, quoted for bash, and nowhere else: directives of
// sbatch and the words of GNU parallel have rules of their own for '%', blanks and braces. Both programs are started in
// the folder instead, and are told relative names.

void slurm(const Sweep& sweep, const Options& options) {
  const std::string command = part_command(options);
  const std::int64_t tasks = tasks_for(sweep, options);
  const fs::path folder = fs::absolute(options.output);
  fs::create_directories(folder / "slurm");
  // exec: the signal of a time limit or a preemption reaches the program itself, which leaves its journal whole.
  write_script(folder / "sweep.sbatch",
               fmt::format("#!/bin/bash\n"
                           "#SBATCH --job-name=stowage-sweep\n"
                           "#SBATCH --array=1-{0}\n"
                           "#SBATCH --requeue\n"
                           "#SBATCH --open-mode=append\n"
                           "#SBATCH --output=slurm/%a.log\n"
                           "#SBATCH --signal=B:TERM@30\n"
                           "# One part of the sweep. What its journal holds is not done again, so a requeued task goes "
                           "on where it was.\n"
                           "# Submit it in this folder: the log's name is relative.\n"
                           "# Partition, account, time and memory: as SBATCH_PARTITION, SBATCH_ACCOUNT, ... in the "
                           "environment of sbatch.\n"
                           "exec {1} --jobs \"${{SLURM_CPUS_PER_TASK:-1}}\" --shard \"${{SLURM_ARRAY_TASK_ID}}/{0}\"\n",
                           tasks, command));
  const int code = run_program({"sbatch", "--wait", "sweep.sbatch"}, folder);
  if (code == 127) throw EnvironmentError("sbatch is not there: install Slurm's client, or use --engine local");
  if (code != 0)
    throw EnvironmentError(
        fmt::format("sbatch or a task of the array failed (code {}); see {}/slurm/*.log; the same "
                    "command goes on with what is missing",
                    code, folder.string()));
}

void parallel(const Sweep& sweep, const Options& options) {
  const std::string command = part_command(options);
  const std::int64_t tasks = tasks_for(sweep, options);
  const fs::path folder = fs::absolute(options.output);
  fs::create_directories(folder);
  write_script(folder / "sweep.sh", fmt::format("#!/bin/bash\n# One part of the sweep; its number is the argument.\n"
                                                "exec {} --jobs 1 --shard \"$1/{}\"\n",
                                                command, tasks));
  std::vector<std::string> words = {"parallel", "--will-cite", "--retries", "3", "--halt", "never"};
  if (options.jobs > 0) words.insert(words.end(), {"--jobs", fmt::format("{}", options.jobs)});
  words.insert(words.end(), {"bash", "sweep.sh", ":::"});
  for (std::int64_t i = 1; i <= tasks; ++i) words.push_back(fmt::format("{}", i));
  const int code = run_program(words, folder);
  if (code == 127) throw EnvironmentError("GNU parallel is not there: install it, or use --engine local");
  if (code != 0)
    throw EnvironmentError(fmt::format("{} parts failed; the same command goes on with what is missing", code));
}
}  // namespace

void run_engine(const Sweep& sweep, const Options& options) {
  if (options.engine == "slurm") return slurm(sweep, options);
  if (options.engine == "parallel") return parallel(sweep, options);
  throw InputError({}, fmt::format("--engine: no '{}'{} (known: local, slurm, parallel)", options.engine,
                                   did_you_mean(options.engine, engines)));
}
}  // namespace stowage::cli
