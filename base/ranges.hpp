#pragma once
// What a measured number can be: the ranges that every reader of measured files checks (docs/cli.md states them).
// Beyond them it is another unit, a slip or damage.
#include <cstdint>

namespace stowage {
inline constexpr std::int64_t tokens_max = 10'000'000;                      // of one request, prompt or output
inline constexpr std::int64_t count_max = std::int64_t{1} << 53;            // whole in a double
inline constexpr std::int64_t bytes_max = std::int64_t{1} << 60;
inline constexpr std::int64_t time_ns_max = 1'000'000'000'000'000'000;      // 31 years; sums of nine fit int64
inline constexpr double time_s_max = 1e9;                                   // the same, of seconds
inline constexpr double unix_s_max = 1e11;                                  // a date as seconds since 1970
}  // namespace stowage
