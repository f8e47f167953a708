#pragma once
// Books where every byte of the KV pool is at every instant (semantics: the six parts sum to the pool), as exact
// integer integrals over time, in at most `max_bins` equal bins that merge in pairs as the run grows.
// live, held and cached are known when they happen; what a residency held beyond the tokens it ever stored
// (`internal`) is known only when it ends, and is booked back over its life then.
#include <array>
#include <cstdint>
#include <vector>

#include "sim/result.hpp"

namespace stowage {

__extension__ using Int128 = __int128;

/// What the pool looks like during one span of time; all in bytes.
struct MemoryLevels {
  std::int64_t live = 0;       // stored tokens
  std::int64_t held = 0;       // by running requests, buddy round-up not included
  std::int64_t cached = 0;     // kept for no running request
  std::int64_t round_up = 0;   // buddy round-up of held regions
  std::int64_t running = 0, waiting = 0;
  bool blocked = false;        // the head of `waiting` was refused by the manager: free bytes are `external`
};

class MemoryAccount {
 public:
  static constexpr std::size_t max_bins = 1024;

  /// `rounding` = bytes of the pool that its blocks or slots cannot use.
  MemoryAccount(std::int64_t pool_bytes, std::int64_t rounding_bytes);

  void start(std::int64_t origin_ns);
  /// Levels hold over [now, now + dt); spans follow each other without gaps.
  void add(std::int64_t dt_ns, const MemoryLevels& levels) {
    if (now_ + dt_ns > bin_end_) return add_over_bins(dt_ns, levels);
    add_within_bin(dt_ns, static_cast<Int128>(levels.live) * dt_ns, static_cast<Int128>(levels.held) * dt_ns,
                   static_cast<Int128>(levels.cached) * dt_ns, levels);
  }
  /// Time-integrals of live, held and cached (bytes x ns) over spans that all lie before bin_end_ns(); the rest of
  /// `levels` holds throughout.
  void add_within_bin(std::int64_t dt_ns, Int128 live, Int128 held, Int128 cached, const MemoryLevels& levels);
  [[nodiscard]] std::int64_t bin_end_ns() const { return bin_end_; }
  [[nodiscard]] std::int64_t now_ns() const { return now_; }

  /// `bytes` held over [from, to) turned out to be internal waste.
  void book_internal(std::int64_t from_ns, std::int64_t to_ns, std::int64_t bytes);

  [[nodiscard]] std::array<double, part_count> mean_fraction() const;
  [[nodiscard]] std::vector<SeriesPoint> series() const;

 private:
  struct Bin {
    Int128 live = 0, held = 0, cached = 0, round_up = 0, blocked_free = 0;  // bytes x ns
    Int128 internal = 0;        // bytes x ns, besides the running level
    std::int64_t internal_step = 0;  // change of the internal level that counts from this bin's start on
    Int128 running = 0, waiting = 0;
  };
  void add_over_bins(std::int64_t dt_ns, const MemoryLevels& levels);
  void open_bin_at(std::int64_t now_ns);
  void merge_pairs();
  void book_step(std::int64_t at_ns, std::int64_t bytes);
  /// Bins are first_width_ns << doublings_ wide: a constant divides faster.
  [[nodiscard]] std::size_t bin_of(std::int64_t ns) const {
    return static_cast<std::size_t>(((ns - origin_) / first_width_ns) >> doublings_);
  }
  [[nodiscard]] std::array<Int128, part_count> parts(const Bin& bin, Int128 internal, std::int64_t span) const;

  std::int64_t pool_, rounding_;
  static constexpr std::int64_t first_width_ns = 1'000'000;
  std::int64_t origin_ = 0, now_ = 0, width_ = first_width_ns, bin_end_ = 0;
  int doublings_ = 0;
  std::size_t current_ = 0;
  std::vector<Bin> bins_;
};
}  // namespace stowage
