#include "sim/kernel/divisor.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace stowage {
namespace {

TEST(Divisor, DividesAsTheDivisionDoes) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t size : {1, 2, 3, 7, 16, 48, 1 << 20, (1 << 20) + 1}) {
    const Divisor by(size);
    for (const std::int64_t n : {std::int64_t{0}, size - 1, size, size + 1, 5 * size - 1, most - size}) {
      EXPECT_EQ(by.floor(n), n / size) << n << " by " << size;
      EXPECT_EQ(by.rest(n), n % size) << n << " by " << size;
      EXPECT_EQ(by.ceil(n), n / size + (n % size == 0 ? 0 : 1)) << n << " by " << size;
    }
  }
}
}  // namespace
}  // namespace stowage
