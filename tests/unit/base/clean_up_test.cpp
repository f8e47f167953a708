#include "base/clean_up.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

namespace stowage {
namespace {
/// In a process of its own: a clean-up holds the gate for good.
TEST(CleanUpDeathTest, UndoesTheLatestFirstAndNothingThatIsOver) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto ends = [] {
    std::string order;
    const CleanUp first([&] { order += "1"; });
    { const CleanUp over([&] { order += "x"; }); }
    const CleanUp second([&] { order += "2"; });
    std::thread([] { clean_up(); }).join();
    std::_Exit(order == "21" ? 0 : 1);
  };
  EXPECT_EXIT(ends(), testing::ExitedWithCode(0), "");
}

TEST(CleanUpDeathTest, WaitsForTheEndOfAStep) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto ends = [] {
    bool done = false, seen = false;
    const CleanUp undo([&] { seen = done; });
    std::thread signal;
    {
      const Uninterrupted gate;
      signal = std::thread([] { clean_up(); });
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      done = true;
    }
    signal.join();
    std::_Exit(seen ? 0 : 1);
  };
  EXPECT_EXIT(ends(), testing::ExitedWithCode(0), "");
}
}  // namespace
}  // namespace stowage
