#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "traces/at_once.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {
/// Exact counts of token lengths: an array for the usual ones, a map for the few long ones.
class LengthCounts {
 public:
  void add(std::int32_t tokens) {
    ++total_;
    sum_ += static_cast<std::uint64_t>(tokens);
    if (static_cast<std::size_t>(tokens) < short_.size()) {
      ++short_[static_cast<std::size_t>(tokens)];
    } else {
      ++long_[tokens];
    }
  }
  [[nodiscard]] LengthStats stats() const {
    LengthStats s;
    if (total_ == 0) return s;
    s.mean = static_cast<double>(sum_) / static_cast<double>(total_);
    // floor(p x (n - 1)) in integers: 0.9 x 10 must not become 8.999...
    s.p50 = at_rank((total_ - 1) * 50 / 100);
    s.p90 = at_rank((total_ - 1) * 90 / 100);
    s.p99 = at_rank((total_ - 1) * 99 / 100);
    s.max = at_rank(total_ - 1);
    return s;
  }

 private:
  [[nodiscard]] std::int64_t at_rank(std::uint64_t rank) const {
    for (std::size_t i = 0; i < short_.size(); ++i) {
      if (rank < short_[i]) return static_cast<std::int64_t>(i);
      rank -= short_[i];
    }
    for (const auto& [tokens, n] : long_) {
      if (rank < n) return tokens;
      rank -= n;
    }
    return 0;
  }
  std::vector<std::uint64_t> short_ = std::vector<std::uint64_t>(std::size_t{1} << 16);
  std::map<std::int32_t, std::uint64_t> long_;
  std::uint64_t total_ = 0;
  std::uint64_t sum_ = 0;
};

/// Arrivals counted in windows; only whole windows enter.
class Windows {
 public:
  explicit Windows(std::int64_t width_s) : width_ns_(width_s * 1'000'000'000) {}
  void add(std::int64_t since_first_ns) {
    const std::int64_t window = since_first_ns / width_ns_;
    if (window != current_) close(window);
    ++count_;
  }
  /// Variance / mean of the counts: (n sum(c^2) - sum(c)^2) / (n sum(c)).
  [[nodiscard]] std::optional<double> dispersion() const {
    if (current_ < 2 || sum_ == 0) return std::nullopt;  // the window being filled is not whole
    const auto n = static_cast<unsigned __int128>(current_);
    const unsigned __int128 spread = n * squares_ - static_cast<unsigned __int128>(sum_) * sum_;
    return static_cast<double>(spread) / static_cast<double>(n * sum_);
  }

 private:
  void close(std::int64_t next) {
    sum_ += count_;
    squares_ += static_cast<unsigned __int128>(count_) * count_;
    count_ = 0;
    current_ = next;
  }
  std::int64_t width_ns_;
  std::int64_t current_ = 0;  // windows before it are whole
  std::uint64_t count_ = 0, sum_ = 0;
  unsigned __int128 squares_ = 0;
};

/// Mean and variance of the gaps (Welford 1962: no cancellation when all are alike).
class Gaps {
 public:
  void add(double gap) {
    ++n_;
    const double off = gap - mean_;
    mean_ += off / static_cast<double>(n_);
    squares_ += off * (gap - mean_);
  }
  [[nodiscard]] double cv() const {
    return n_ == 0 || mean_ <= 0 ? 0 : std::sqrt(squares_ / static_cast<double>(n_)) / mean_;
  }

 private:
  std::uint64_t n_ = 0;
  double mean_ = 0, squares_ = 0;
};

/// What an endless cache of whole hash blocks finds. A block is known by its hash and what stands before it.
class EndlessCache {
 public:
  void add(const Request& r, const PromptContent& content) {
    prompt_tokens_ += r.prompt_tokens;
    if (content.hashes.empty() && content.turns.empty()) return;
    informed_ = true;
    const std::int64_t unit = std::max<std::int64_t>(content.hash_tokens, 1);
    if (!content.turns.empty()) {  // of the turn before all is there but its last output, which nobody computed
      hit_tokens_ += std::min<std::int64_t>(content.turns.back().end - 1, r.prompt_tokens - 1) / unit * unit;
      return;
    }
    std::uint64_t before = blocks_.try_emplace({0, content.salt}, blocks_.size() + 1).first->second;
    std::int64_t found = 0;
    bool all = true;
    for (const std::uint64_t hash : content.hashes) {
      const auto [block, fresh] = blocks_.try_emplace({before, hash}, blocks_.size() + 1);
      before = block->second;
      all = all && !fresh;
      found += all ? 1 : 0;
    }
    // A prompt's last token is always computed, and with it its block.
    hit_tokens_ += std::min<std::int64_t>(found, (r.prompt_tokens - 1) / unit) * unit;
  }
  [[nodiscard]] std::optional<double> share() const {
    if (!informed_ || prompt_tokens_ == 0) return std::nullopt;
    return static_cast<double>(hit_tokens_) / static_cast<double>(prompt_tokens_);
  }

 private:
  struct Hash {
    std::size_t operator()(const std::pair<std::uint64_t, std::uint64_t>& k) const {
      std::uint64_t x = (k.first * 0x9E3779B97F4A7C15U) ^ k.second;
      x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9U;
      return x ^ x >> 31;
    }
  };
  std::unordered_map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t, Hash> blocks_;
  std::int64_t prompt_tokens_ = 0, hit_tokens_ = 0;
  bool informed_ = false;
};
}  // namespace

TraceInfo trace_info(const Workload& workload, const TraceLedger* ledger) {
  TraceInfo info;
  LengthCounts prompt;
  LengthCounts output;
  Gaps gaps;
  EndlessCache cache;
  std::array<Windows, 3> windows = {Windows(1), Windows(10), Windows(60)};
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
  std::vector<Request> batch(1024);
  AtOnce stream(workload);
  while (const std::size_t n = stream.read(batch)) {
    for (const Request& r : std::span(batch).first(n)) {
      if (info.requests++ == 0) {
        first_ns = r.arrival_ns;
      } else {
        gaps.add(static_cast<double>(r.arrival_ns - last_ns));
      }
      last_ns = r.arrival_ns;
      prompt.add(r.prompt_tokens);
      output.add(r.output_tokens);
      cache.add(r, stream.content(r));
      stream.drop(r);
      for (Windows& w : windows) w.add(r.arrival_ns - first_ns);
    }
  }
  info.rows = ledger != nullptr ? ledger->rows : info.requests;
  info.kept = ledger != nullptr ? ledger->kept : info.requests;
  if (ledger != nullptr) info.dropped = ledger->dropped;
  info.duration_s = static_cast<double>(last_ns - first_ns) * 1e-9;
  if (info.duration_s > 0) {
    info.rate_per_s = static_cast<double>(info.requests) / info.duration_s;
    info.cv = gaps.cv();
  }
  info.dispersion_1s = windows[0].dispersion();
  info.dispersion_10s = windows[1].dispersion();
  info.dispersion_60s = windows[2].dispersion();
  info.prompt = prompt.stats();
  info.output = output.stats();
  info.prefix_hit = cache.share();
  return info;
}
}  // namespace stowage
