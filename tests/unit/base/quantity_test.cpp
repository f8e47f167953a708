// Which texts are quantities, what they are worth, and which are refused.
#include <gtest/gtest.h>

#include <cmath>

#include "base/config.hpp"
#include "base/rng.hpp"

namespace stowage {
namespace {
using namespace literals;

TEST(Quantity, bytes) {
  EXPECT_EQ(parse_bytes("80GiB"), 80_GiB);
  EXPECT_EQ(parse_bytes("80GB"), Bytes{80'000'000'000});  // decimal: 74.5 GiB
  EXPECT_EQ(parse_bytes("2MiB"), Bytes{2'097'152});
  EXPECT_EQ(parse_bytes("64KiB"), Bytes{65'536});
  EXPECT_EQ(parse_bytes("64 KiB"), Bytes{65'536});
  EXPECT_EQ(parse_bytes("123B"), Bytes{123});
  EXPECT_EQ(parse_bytes("0B"), Bytes{0});
  EXPECT_EQ(parse_bytes("1.5GiB"), Bytes{1'610'612'736});  // 1.5 x 2^30
  EXPECT_EQ(parse_bytes("1e3MB"), Bytes{1'000'000'000});
  EXPECT_EQ(parse_bytes("1.3GiB"), Bytes{1'395'864'371});  // 1.3 x 2^30 = 1395864371.2
  for (const char* part_of_a_byte : {"1.5B", "0.3B", "0.6B", "0.1KiB", "1.0001KiB"})
    EXPECT_FALSE(parse_bytes(part_of_a_byte)) << part_of_a_byte;
  EXPECT_EQ(parse_bytes("9007199254740993B"), Bytes{9'007'199'254'740'993});  // 2^53 + 1: not through a double
}

TEST(Quantity, bytes_refused) {
  for (const char* text : {"",        " ",      "80",     "GiB",      "-1GiB",         "+1GiB", "010MiB",
                           "0x10MiB", "infGiB", "nanB",   "1.GiB",    ".5GiB",         "80gib", "80 Gi B",
                           "80GiB ",  " 80GiB", "8_0GiB", "1e400GiB", "9999999999TiB", "16EiB", "99999999999999999999B",
                           "80G",     "80GiB/s"})
    EXPECT_FALSE(parse_bytes(text)) << text;
}

TEST(Quantity, format_bytes_is_exact_and_short) {
  EXPECT_EQ(format_bytes(2_MiB), "2MiB");
  EXPECT_EQ(format_bytes(Bytes{1'610'612'736}), "1536MiB");
  EXPECT_EQ(format_bytes(Bytes{80'000'000'000}), "78125000KiB");
  EXPECT_EQ(format_bytes(Bytes{0}), "0B");
  EXPECT_EQ(format_bytes(Bytes{123}), "123B");
  Rng rng(1, "format_bytes");
  for (int i = 0; i < 20000; ++i) {
    const Bytes value{(rng.next() >> 1 >> rng.below(63)) << rng.below(8)};
    if (value.count() < 0 || value.count() > 9'000'000'000'000'000'000) continue;
    ASSERT_EQ(parse_bytes(format_bytes(value)), value) << value.count();
  }
}

TEST(Quantity, durations) {
  EXPECT_EQ(parse_duration_ns("123ns"), 123);
  EXPECT_EQ(parse_duration_ns("30us"), 30e3);
  EXPECT_EQ(parse_duration_ns("30µs"), 30e3);
  EXPECT_EQ(parse_duration_ns("10ms"), 10e6);
  EXPECT_EQ(parse_duration_ns("1s"), 1e9);
  EXPECT_EQ(parse_duration_ns("5min"), 300e9);
  EXPECT_EQ(parse_duration_ns("2h"), 7200e9);
  EXPECT_EQ(parse_duration_ns("1d"), 86400e9);
  EXPECT_EQ(parse_duration_ns("0.5us"), 500);
  for (const char* text : {"5", "5 sec", "-5ms", "1m", "5MS", "inf s", "nans", "1e30d", "5min5s", "0", "010ms"})
    EXPECT_FALSE(parse_duration_ns(text)) << text;
}

TEST(Quantity, format_duration_survives_the_round_trip) {
  EXPECT_EQ(format_duration(0), "0s");
  EXPECT_EQ(format_duration(1e9), "1s");
  EXPECT_EQ(format_duration(1.5e9), "1.5s");
  EXPECT_EQ(format_duration(10e6), "10ms");
  EXPECT_EQ(format_duration(38e3), "38us");
  EXPECT_EQ(format_duration(0.5), "0.5ns");
  Rng rng(1, "format_duration");
  for (int i = 0; i < 20000; ++i) {
    const double ns = std::ldexp(rng.uniform(), static_cast<int>(rng.below(100)) - 40);
    ASSERT_EQ(parse_duration_ns(format_duration(ns)), ns) << format_duration(ns);
    const double whole = std::floor(ns);
    ASSERT_EQ(parse_duration_ns(format_duration(whole)), whole) << format_duration(whole);
  }
}

TEST(Quantity, rates) {
  EXPECT_EQ(parse_rate_per_s("5/s"), 5);
  EXPECT_EQ(parse_rate_per_s("60/min"), 1);
  EXPECT_EQ(parse_rate_per_s("20/h"), 20.0 / 3600);
  EXPECT_EQ(parse_rate_per_s("2.5 /s"), 2.5);
  for (const char* text : {"5", "/s", "5/sec", "-5/s", "5/ms"}) EXPECT_FALSE(parse_rate_per_s(text)) << text;
  EXPECT_EQ(parse_bytes_per_s("3.35TB/s"), 3.35e12);
  EXPECT_EQ(parse_bytes_per_s("64GiB/s"), 68'719'476'736.0);
  EXPECT_FALSE(parse_bytes_per_s("3.35TB"));
  EXPECT_FALSE(parse_bytes_per_s("3.35Tb/s"));
  EXPECT_EQ(parse_flop_per_s("989TFLOP/s"), 989e12);
  EXPECT_EQ(parse_flop_per_s("1.9PFLOP/s"), 1.9e15);
  EXPECT_FALSE(parse_flop_per_s("989TFLOPS"));
}

TEST(Quantity, integers) {
  EXPECT_EQ(parse_integer("8192"), 8192);
  EXPECT_EQ(parse_integer("8k"), 8000);
  EXPECT_EQ(parse_integer("8Ki"), 8192);
  EXPECT_EQ(parse_integer("-3"), -3);
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("9223372036854775807"), INT64_MAX);
  for (const char* text : {"", "-", "010", "0x10", "1e3", "8.0", "8 k", "8K", "9223372036854775808", "+5", " 5", "5 ",
                           "9223372036854775807k", "--5", "1_000", "1,000", "five"})
    EXPECT_FALSE(parse_integer(text)) << text;
}

TEST(Quantity, numbers) {
  EXPECT_EQ(parse_number("0.9"), 0.9);
  EXPECT_EQ(parse_number("90%"), 0.9);
  EXPECT_EQ(parse_number("1e-3"), 0.001);
  EXPECT_EQ(parse_number("-2"), -2);
  for (const char* text : {"", ".5", "5.", "inf", "nan", "-inf", ".inf", "0x1p3", "010", "1e999", "0,9", "%", "9 %"})
    EXPECT_FALSE(parse_number(text)) << text;
}

TEST(Quantity, a_point_has_digits_after_it) {
  EXPECT_FALSE(parse_bytes("3.e2GiB"));
  EXPECT_FALSE(parse_bytes_per_s("3.e35TB/s"));
  EXPECT_FALSE(parse_duration_ns("1.s"));
  EXPECT_FALSE(parse_rate_per_s("1.E1/s"));
  EXPECT_FALSE(parse_number("5.e1"));
  EXPECT_FALSE(parse_number("5.%"));
  EXPECT_EQ(parse_number("5.0e1"), 50.0);
}
}  // namespace
}  // namespace stowage
