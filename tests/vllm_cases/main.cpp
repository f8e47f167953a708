// vllm_cases DIR: cases of vLLM's own scheduler, each run by all runners and compared step by step.
// Exit code: 0 when all passed, 1 when one failed, 2 when there was nothing to run.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>

#include "tests/vllm_cases/case.hpp"

namespace {
namespace fs = std::filesystem;
using namespace stowage::vllm_cases;

struct RunnerRow {
  const char* name;
  Runner run;
};
constexpr RunnerRow runners[] = {{"engine", run_engine}, {"oracle", run_oracle}};
constexpr const char* about_runners = "runners: the engine (sim), and the plain oracle (tests/oracle)";

std::vector<fs::path> case_files(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().extension() == ".json") out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

/// What is wrong, by the first runner that has a difference; empty when nothing is.
std::string fault_of(const VllmCase& c) {
  for (const RunnerRow& runner : runners) {
    const std::string difference = first_difference(c.expect, runner.run(c.scenario));
    if (!difference.empty()) return fmt::format("{}: {}", runner.name, difference);
  }
  return "";
}

int run_folder(const fs::path& folder) {
  fmt::print("{}\n", about_runners);
  int passed = 0, failed = 0;
  std::map<std::string, int> skipped;
  for (const fs::path& path : case_files(folder)) {
    std::string fault;
    try {
      const VllmCase c = read_case(path);
      if (!c.skipped.empty()) {
        ++skipped[c.skipped];
        continue;
      }
      fault = fault_of(c);
    } catch (const std::exception& e) { fault = e.what(); }
    ++(fault.empty() ? passed : failed);
    if (!fault.empty()) fmt::print("FAILED {}: {}\n", path.lexically_relative(folder).string(), fault);
  }
  for (const auto& [reason, count] : skipped) fmt::print("skipped {}: {}\n", count, reason);
  fmt::print("{} passed, {} failed\n", passed, failed);
  if (passed + failed == 0) return 2;
  return failed > 0 ? 1 : 0;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !fs::is_directory(argv[1])) {
    fmt::print(stderr,
               "usage: vllm_cases DIR, a folder with cases of vLLM's scheduler (*.json, in sub-folders too)\n{}\n",
               about_runners);
    return 2;
  }
  return run_folder(argv[1]);
}
