// The shrinker, tried on a property of the oracle alone: "somebody is preempted".
#include <gtest/gtest.h>

#include "tests/differential/compare.hpp"
#include "tests/oracle/oracle.hpp"

namespace stowage {
namespace {

bool preempts(const Case& c) { return oracle_run(c.config, c.requests).preemptions > 0; }

TEST(Shrinker, FindsTheLeastPreemption) {
  int tried = 0;
  for (std::uint64_t seed = 1; tried < 5; ++seed) {
    const Case c = random_case(seed);
    if (!preempts(c)) continue;
    ++tried;
    const Case least = shrink(c, preempts);
    EXPECT_TRUE(preempts(least));
    EXPECT_EQ(least.requests.size(), 2U) << least.describe();  // one alone is never preempted
    EXPECT_NE(least.literal().find("c.requests = {"), std::string::npos);
  }
}
}  // namespace
}  // namespace stowage
