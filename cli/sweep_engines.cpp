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
#include "cli/interrupt.hpp"
#include "reports/output_file.hpp"

namespace stowage::cli {
namespace {
namespace fs = std::filesystem;
constexpr std::array<std::string_view, 3> engines = {"local", "slurm", "parallel"};
constexpr double task_s = 180;            // minutes each: short enough to lose, long enough to be worth starting
constexpr std::int64_t tasks_max = 1000;  // the usual MaxArraySize is 1,001

std::string shell_word(std::string_view word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

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

/// The command of one part, but for "--shard I/N". All paths absolute: tasks start anywhere.
std::string part_command(const Options& options) {
  std::string out = fmt::format("{} sweep {}", shell_word(fs::read_symlink("/proc/self/exe").string()),
                                shell_word(fs::absolute(options.inputs.front()).string()));
  for (const auto& set : options.set) out += " --set " + shell_word(set);
  for (const auto& vary : options.vary) out += " --vary " + shell_word(vary);
  if (options.seed) out += fmt::format(" --seed {}", *options.seed);
  return out + fmt::format(" -o {} --quiet", shell_word(fs::absolute(options.output).string()));
}

/// Starts a program, its output going to stderr, and waits; a signal to us ends it too.
int run_program(const std::vector<std::string>& words) {
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

void slurm(const Sweep& sweep, const Options& options) {
  const std::int64_t tasks = tasks_for(sweep, options);
  const fs::path folder = fs::absolute(options.output);
  fs::create_directories(folder / "slurm");
  const fs::path script = folder / "sweep.sbatch";
  // exec: the signal of a time limit or a preemption reaches the program itself, which leaves its journal whole.
  write_script(script,
               fmt::format("#!/bin/bash\n"
                           "#SBATCH --job-name=stowage-sweep\n"
                           "#SBATCH --array=1-{0}\n"
                           "#SBATCH --requeue\n"
                           "#SBATCH --open-mode=append\n"
                           "#SBATCH --output={1}/slurm/%a.log\n"
                           "#SBATCH --signal=B:TERM@30\n"
                           "# One part of the sweep. What its journal holds is not done again, so a requeued task goes "
                           "on where it was.\n"
                           "# Partition, account, time and memory: as SBATCH_PARTITION, SBATCH_ACCOUNT, ... in the "
                           "environment of sbatch.\n"
                           "exec {2} --jobs \"${{SLURM_CPUS_PER_TASK:-1}}\" --shard \"${{SLURM_ARRAY_TASK_ID}}/{0}\"\n",
                           tasks, folder.string(), part_command(options)));
  const int code = run_program({"sbatch", "--wait", script.string()});
  if (code == 127) throw EnvironmentError("sbatch is not there: install Slurm's client, or use --engine local");
  if (code != 0)
    throw EnvironmentError(
        fmt::format("sbatch or a task of the array failed (code {}); see {}/slurm/*.log; the same "
                    "command goes on with what is missing",
                    code, folder.string()));
}

void parallel(const Sweep& sweep, const Options& options) {
  const std::int64_t tasks = tasks_for(sweep, options);
  const fs::path folder = fs::absolute(options.output);
  fs::create_directories(folder);
  std::vector<std::string> words = {"parallel", "--will-cite", "--retries", "3", "--halt", "never"};
  if (options.jobs > 0) words.insert(words.end(), {"--jobs", fmt::format("{}", options.jobs)});
  words.push_back(fmt::format("{} --jobs 1 --shard {{}}/{}", part_command(options), tasks));
  words.emplace_back(":::");
  for (std::int64_t i = 1; i <= tasks; ++i) words.push_back(fmt::format("{}", i));
  const int code = run_program(words);
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
