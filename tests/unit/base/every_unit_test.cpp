// Every unit by its meaning, and histograms put together.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/histogram.hpp"
#include "base/config.hpp"
#include "base/rng.hpp"

namespace stowage {
namespace {
using Units = std::vector<std::pair<std::string, double>>;

TEST(EveryUnit, IsWhatItIsCalled) {
  const Units bytes = {{"B", 1},   {"kB", 1e3},     {"KB", 1e3},         {"MB", 1e6},           {"GB", 1e9},
                       {"TB", 1e12}, {"PB", 1e15},  {"KiB", 1024},       {"MiB", 1048576},      {"GiB", 1073741824},
                       {"TiB", 1099511627776},      {"PiB", 1125899906842624}};
  for (const auto& [unit, scale] : bytes) {
    const auto size = parse_bytes("3" + unit);
    ASSERT_TRUE(size) << unit;
    EXPECT_EQ(static_cast<double>(size->count()), 3 * scale) << unit;
    EXPECT_EQ(parse_bytes_per_s("3" + unit + "/s"), 3 * scale) << unit;
  }
  const double s = 1e9;
  for (const auto& [unit, ns] : Units{{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", s}, {"min", 60 * s},
                                      {"h", 3600 * s}, {"d", 24 * 3600 * s}})
    EXPECT_EQ(parse_duration_ns("3" + unit), 3 * ns) << unit;
  for (const auto& [unit, seconds] : Units{{"/s", 1}, {"/min", 60}, {"/h", 3600}, {"/d", 24 * 3600}})
    EXPECT_DOUBLE_EQ(*parse_rate_per_s("3" + unit), 3 / seconds) << unit;
  double flop = 1;
  for (const char* unit : {"FLOP/s", "MFLOP/s", "GFLOP/s", "TFLOP/s", "PFLOP/s", "EFLOP/s"}) {
    EXPECT_DOUBLE_EQ(*parse_flop_per_s(std::string("3") + unit), 3 * flop) << unit;
    flop *= flop == 1 ? 1e6 : 1e3;
  }
  EXPECT_EQ(parse_integer("3k"), 3000);
  EXPECT_EQ(parse_integer("3Ki"), 3072);
  EXPECT_EQ(parse_number("3%"), 0.03);
}

/// A histogram of two parts is that of all their values, whichever part has the greatest.
TEST(Histogram, OfPartsIsThatOfAll) {
  Rng rng(8, "parts");
  for (int round = 0; round < 40; ++round) {
    LogHistogram a, b, all;
    for (int i = 0; i < 50; ++i) {
      const auto v = static_cast<std::int64_t>(rng.below(std::uint64_t{1} << (2 + rng.below(40))));
      (rng.below(2) == 0 ? a : b).add(v);
      all.add(v);
    }
    a.merge(b);
    EXPECT_EQ(a.count(), all.count());
    EXPECT_EQ(a.max(), all.max());
    EXPECT_EQ(a.mean(), all.mean());
    for (const double q : {0.01, 0.3, 0.5, 0.9, 0.99, 1.0}) EXPECT_EQ(a.quantile(q), all.quantile(q)) << q;
  }
}
}  // namespace
}  // namespace stowage
