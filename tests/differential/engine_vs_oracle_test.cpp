// The engine and the oracle must agree on every iteration, request and byte of hundreds of random scenarios.
// STOWAGE_DIFF_SEEDS, STOWAGE_DIFF_LARGE_SEEDS and STOWAGE_DIFF_FLEET_SEEDS = how many (600, 12, 400),
// STOWAGE_DIFF_FIRST = the first seed (1).
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "tests/differential/compare.hpp"

namespace stowage {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

// An assertion of the engine ends the process: say first which case it was.
char current_case[64] = "";
extern "C" void name_the_case(int) {
  const auto written = write(STDERR_FILENO, current_case, std::strlen(current_case));
  std::signal(SIGABRT, SIG_DFL);
  if (written >= 0) std::raise(SIGABRT);
}

/// `count` seeds from `first` on; the first failing case is shrunk.
template <class Make>
void compare_cases(std::uint64_t first, std::uint64_t count, CaseSize size, Make make) {
  const auto old_handler = std::signal(SIGABRT, name_the_case);
  std::uint64_t failures = 0;
  for (std::uint64_t seed = first; seed < first + count && failures < 20; ++seed) {
    *fmt::format_to_n(current_case, sizeof current_case - 1, "aborted in seed {}\n", seed).out = '\0';
    const Case c = make(seed, size);
    const auto difference = first_difference(c);
    if (!difference) continue;
    ADD_FAILURE() << "seed " << seed << ": " << *difference << "\n  " << c.describe();
    if (failures++ > 0) continue;  // one shrunk case is enough to start with
    const Case least = shrink(c, [](const Case& smaller) { return first_difference(smaller).has_value(); });
    fmt::print("shrunk: {}\n  {}\n{}", *first_difference(least), least.describe(), least.literal());
  }
  std::signal(SIGABRT, old_handler);
}

TEST(EngineAgainstOracle, RandomScenarios) {
  compare_cases(from_environment("STOWAGE_DIFF_FIRST", 1), from_environment("STOWAGE_DIFF_SEEDS", 600),
                CaseSize::small, random_case);
}

TEST(EngineAgainstOracle, SeedsThatOnceDiffered) {
  for (const std::uint64_t seed : {69, 167, 360, 748, 1400}) compare_cases(seed, 1, CaseSize::small, random_case);
  compare_cases(1906, 1, CaseSize::small, random_fleet_case);  // a router's bound, with a batch still to be formed
}

TEST(EngineAgainstOracle, LargeScenarios) {
  compare_cases(from_environment("STOWAGE_DIFF_FIRST", 1), from_environment("STOWAGE_DIFF_LARGE_SEEDS", 12),
                CaseSize::large, random_case);
}

TEST(EngineAgainstOracle, RandomFleets) {
  compare_cases(from_environment("STOWAGE_DIFF_FIRST", 1), from_environment("STOWAGE_DIFF_FLEET_SEEDS", 400),
                CaseSize::small, random_fleet_case);
}

TEST(EngineAgainstOracle, LargeFleets) {
  compare_cases(from_environment("STOWAGE_DIFF_FIRST", 1), from_environment("STOWAGE_DIFF_LARGE_FLEET_SEEDS", 2),
                CaseSize::large, random_fleet_case);
}
}  // namespace
}  // namespace stowage
