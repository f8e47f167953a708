// The engine and the oracle must agree on every iteration, request and byte of hundreds of random scenarios.
// STOWAGE_DIFF_SEEDS = how many (600), STOWAGE_DIFF_FIRST = the first seed (1).
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

TEST(EngineAgainstOracle, RandomScenarios) {
  const std::uint64_t first = from_environment("STOWAGE_DIFF_FIRST", 1);
  const std::uint64_t count = from_environment("STOWAGE_DIFF_SEEDS", 600);
  const auto old_handler = std::signal(SIGABRT, name_the_case);
  std::uint64_t failures = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    *fmt::format_to_n(current_case, sizeof current_case - 1, "aborted in seed {}\n", seed).out = '\0';
    const Case c = random_case(seed);
    const auto difference = first_difference(c);
    if (!difference) continue;
    ++failures;
    ADD_FAILURE() << "seed " << seed << ": " << *difference << "\n  " << c.describe();
    if (failures > 1) {
      if (failures >= 20) break;
      continue;  // one case shrunk is enough to start with
    }
    const Case least = shrink(c, [](const Case& smaller) { return first_difference(smaller).has_value(); });
    fmt::print("shrunk: {}\n  {}\n{}", *first_difference(least), least.describe(), least.literal());
  }
  std::signal(SIGABRT, old_handler);
}
}  // namespace
}  // namespace stowage
