#include "sim/account/memory_account.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace stowage {
MemoryAccount::MemoryAccount(std::int64_t pool_bytes, std::int64_t rounding_bytes)
    : pool_(pool_bytes), rounding_(rounding_bytes), bins_(max_bins + 1) {}

void MemoryAccount::start(std::int64_t origin_ns) {
  origin_ = now_ = origin_ns;
  bin_end_ = origin_ + width_;
}

void MemoryAccount::merge_pairs() {
  // The level L(i) at the start of bin i is the sum of steps up to i, and bin i holds internal + L(i) x width.
  // Two bins make: (a + b + step(odd) x width) + L(even) x 2 width; the next pair's step gathers both steps after it.
  for (std::size_t i = 0; i < max_bins / 2; ++i) {
    const Bin a = bins_[2 * i];
    const Bin b = bins_[2 * i + 1];
    const std::int64_t step_before = i == 0 ? 0 : bins_[2 * i - 1].internal_step;  // 2i-1 >= i: not yet overwritten
    Bin& out = bins_[i];
    const std::int64_t odd = b.internal_step;
    out.live = a.live + b.live;
    out.held = a.held + b.held;
    out.cached = a.cached + b.cached;
    out.round_up = a.round_up + b.round_up;
    out.blocked_free = a.blocked_free + b.blocked_free;
    out.running = a.running + b.running;
    out.waiting = a.waiting + b.waiting;
    out.internal = a.internal + b.internal + static_cast<Int128>(odd) * width_;
    out.internal_step = a.internal_step + step_before;
  }
  const std::int64_t after = bins_[max_bins - 1].internal_step + bins_[max_bins].internal_step;
  for (std::size_t i = max_bins / 2; i <= max_bins; ++i) bins_[i] = Bin{};
  bins_[max_bins / 2].internal_step = after;
  width_ *= 2;
  ++doublings_;
}

void MemoryAccount::open_bin_at(std::int64_t now_ns) {
  while (bin_of(now_ns) >= max_bins) merge_pairs();
  current_ = bin_of(now_ns);
  bin_end_ = origin_ + (static_cast<std::int64_t>(current_) + 1) * width_;
}

void MemoryAccount::add_over_bins(std::int64_t dt_ns, const MemoryLevels& levels) {
  while (dt_ns > 0) {
    const std::int64_t step = std::min(dt_ns, bin_end_ - now_);
    add_within_bin(step, static_cast<Int128>(levels.live) * step, static_cast<Int128>(levels.held) * step,
                   static_cast<Int128>(levels.cached) * step, levels);
    dt_ns -= step;
  }
}

void MemoryAccount::add_within_bin(std::int64_t dt_ns, Int128 live, Int128 held, Int128 cached,
                                   const MemoryLevels& levels) {
  Bin& bin = bins_[current_];
  bin.live += live;
  bin.held += held;
  bin.cached += cached;
  if (levels.round_up != 0) bin.round_up += static_cast<Int128>(levels.round_up) * dt_ns;
  if (levels.blocked)
    bin.blocked_free += static_cast<Int128>(pool_ - rounding_ - levels.round_up) * dt_ns - held - cached;
  bin.running += static_cast<Int128>(levels.running) * dt_ns;
  bin.waiting += static_cast<Int128>(levels.waiting) * dt_ns;
  now_ += dt_ns;
  if (now_ >= bin_end_) open_bin_at(now_);
}

void MemoryAccount::book_step(std::int64_t at_ns, std::int64_t bytes) {
  const std::size_t i = bin_of(at_ns);
  const std::int64_t end = origin_ + (static_cast<std::int64_t>(i) + 1) * width_;
  bins_[i].internal += static_cast<Int128>(bytes) * (end - at_ns);
  bins_[i + 1].internal_step += bytes;  // one bin more than max_bins, for a step taken in the last
}

void MemoryAccount::book_internal(std::int64_t from_ns, std::int64_t to_ns, std::int64_t bytes) {
  STOWAGE_ASSERT(from_ns <= to_ns && to_ns <= now_ && bytes >= 0);
  if (from_ns == to_ns || bytes == 0) return;
  book_step(from_ns, bytes);
  book_step(to_ns, -bytes);
}

std::array<Int128, part_count> MemoryAccount::parts(const Bin& bin, Int128 internal, std::int64_t span) const {
  std::array<Int128, part_count> p{};
  const Int128 rounding = static_cast<Int128>(rounding_) * span;
  p[static_cast<std::size_t>(Part::live)] = bin.live;
  p[static_cast<std::size_t>(Part::internal)] = internal;
  p[static_cast<std::size_t>(Part::reserved)] = bin.held - internal - bin.live;
  p[static_cast<std::size_t>(Part::cached)] = bin.cached;
  p[static_cast<std::size_t>(Part::external)] = rounding + bin.round_up + bin.blocked_free;
  p[static_cast<std::size_t>(Part::free)] = static_cast<Int128>(pool_) * span - rounding - bin.held - bin.cached -
                                            bin.round_up - bin.blocked_free;
  return p;
}

std::array<double, part_count> MemoryAccount::mean_fraction() const {
  std::array<double, part_count> out{};
  const std::int64_t span = now_ - origin_;
  if (span == 0 || pool_ == 0) {
    out[static_cast<std::size_t>(Part::free)] = 1.0;
    return out;
  }
  std::array<Int128, part_count> sum{};
  std::int64_t level = 0;
  for (std::size_t i = 0; i < max_bins; ++i) {
    level += bins_[i].internal_step;
    const std::int64_t begin = origin_ + static_cast<std::int64_t>(i) * width_;
    const std::int64_t length = std::clamp<std::int64_t>(now_ - begin, 0, width_);
    // Steps are booked against the whole bin; past `now` the level is back at zero, so nothing is over-counted.
    const auto p = parts(bins_[i], bins_[i].internal + static_cast<Int128>(level) * width_, length);
    for (std::size_t k = 0; k < part_count; ++k) sum[k] += p[k];
  }
  const double whole = static_cast<double>(pool_) * static_cast<double>(span);
  for (std::size_t k = 0; k < part_count; ++k) out[k] = static_cast<double>(sum[k]) / whole;
  return out;
}

std::vector<SeriesPoint> MemoryAccount::series() const {
  std::vector<SeriesPoint> out;
  std::int64_t level = 0;
  for (std::size_t i = 0; i < max_bins; ++i) {
    level += bins_[i].internal_step;
    const std::int64_t begin = origin_ + static_cast<std::int64_t>(i) * width_;
    if (begin >= now_) break;
    const std::int64_t length = std::min(now_ - begin, width_);
    SeriesPoint point;
    point.start_ns = begin - origin_;
    point.end_ns = point.start_ns + length;
    const auto p = parts(bins_[i], bins_[i].internal + static_cast<Int128>(level) * width_, length);
    const auto dt = static_cast<double>(length);
    for (std::size_t k = 0; k < part_count; ++k) point.bytes[k] = static_cast<double>(p[k]) / dt;
    point.running = static_cast<double>(bins_[i].running) / dt;
    point.waiting = static_cast<double>(bins_[i].waiting) / dt;
    out.push_back(point);
  }
  return out;
}
}  // namespace stowage
