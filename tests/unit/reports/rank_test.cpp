// When may a report name a winner?
#include <gtest/gtest.h>

#include <array>

#include "reports/metrics.hpp"

namespace stowage {
namespace {
TEST(Rank, NamesNobodyWithinTheTolerance) {
  const std::array p99_ms = {199.0, 199.0, 193.0};  // 6 / 199 = 3.0 %
  EXPECT_FALSE(rank(p99_ms, Better::lower).alike);
  EXPECT_EQ(rank(p99_ms, Better::lower).best_runs, std::vector<std::size_t>{2});
  EXPECT_TRUE(rank(p99_ms, Better::lower, 0.05).alike);
  EXPECT_EQ(rank(p99_ms, Better::lower, 0.05).best_runs, (std::vector<std::size_t>{0, 1, 2}));
}

TEST(Rank, NamesTheBestBeyondIt) {
  const std::array p99_ms = {325.0, 83.0, 118.0};
  const Ranking r = rank(p99_ms, Better::lower, 0.05);
  EXPECT_FALSE(r.alike);
  EXPECT_EQ(r.best_runs, std::vector<std::size_t>{1});
  EXPECT_EQ(r.worst_runs, std::vector<std::size_t>{0});
}
}  // namespace
}  // namespace stowage
