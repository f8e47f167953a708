// Requests drawn from distributions, as they are asked for: nothing is held.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "base/portable_math.hpp"
#include "base/rng.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {
constexpr std::size_t knot_slots = 256;  // a power of two, so that p x knot_slots is exact
constexpr double latest_ns = 0x1p62;     // 146 years

[[noreturn]] void refuse(const std::string& message) { throw InputError({}, message); }
[[nodiscard]] bool positive(double x) { return x > 0 && std::isfinite(x); }

/// Draws lengths of one distribution.
class Lengths {
 public:
  Lengths(const LengthSpec& spec, std::string_view key) : spec_(spec) {
    switch (spec.kind) {
      case LengthKind::fixed:
        check_length(spec.value, key, "fixed");
        break;
      case LengthKind::uniform:
        check_bounds(key);
        break;
      case LengthKind::lognormal:
        check_bounds(key);
        find_parameters(key);
        break;
      case LengthKind::quantiles:
        check_quantiles(key);
        index_knots();
        break;
    }
  }

  [[nodiscard]] std::int32_t draw(Rng& rng) const {
    switch (spec_.kind) {
      case LengthKind::fixed:
        break;
      case LengthKind::uniform: {
        const auto width = static_cast<std::uint64_t>(spec_.max - spec_.min) + 1;
        return spec_.min + static_cast<std::int32_t>(rng.below(width));
      }
      case LengthKind::lognormal: {
        const double x = rng.lognormal(mu_, sigma_);
        return static_cast<std::int32_t>(
            std::llround(std::clamp(x, static_cast<double>(spec_.min), static_cast<double>(spec_.max))));
      }
      case LengthKind::quantiles:
        return at_quantile(rng.uniform());
    }
    return spec_.value;
  }

 private:
  static void check_length(double tokens, std::string_view key, std::string_view part) {
    if (!(tokens >= 1 && tokens <= max_length_tokens)) {
      refuse(
          fmt::format("{}.{}: {} is not a length; it lies in 1 ... {} tokens", key, part, tokens, max_length_tokens));
    }
  }
  void check_bounds(std::string_view key) const {
    check_length(spec_.min, key, "min");
    check_length(spec_.max, key, "max");
    if (spec_.min > spec_.max) refuse(fmt::format("{}: min {} is above max {}", key, spec_.min, spec_.max));
  }
  /// mean = exp(mu + sigma^2 / 2), p50 = exp(mu).
  void find_parameters(std::string_view key) {
    if (int{spec_.mean.has_value()} + int{spec_.p50.has_value()} + int{spec_.sigma.has_value()} != 2) {
      refuse(fmt::format("{}: lognormal needs two of mean, p50 and sigma", key));
    }
    if (spec_.mean && !positive(*spec_.mean)) refuse(fmt::format("{}.mean must be above 0", key));
    if (spec_.p50 && !positive(*spec_.p50)) refuse(fmt::format("{}.p50 must be above 0", key));
    if (spec_.sigma && !(*spec_.sigma >= 0 && *spec_.sigma <= 10)) {
      refuse(fmt::format("{}.sigma must lie in 0 ... 10; it is that of the logarithm of the length", key));
    }
    if (!spec_.sigma) {
      if (*spec_.mean < *spec_.p50) {
        refuse(fmt::format("{}: a lognormal's mean ({}) is not below its p50 ({})", key, *spec_.mean, *spec_.p50));
      }
      sigma_ = std::sqrt(2 * portable_log(*spec_.mean / *spec_.p50));
    } else {
      sigma_ = *spec_.sigma;
    }
    mu_ = spec_.p50 ? portable_log(*spec_.p50) : portable_log(*spec_.mean) - sigma_ * sigma_ / 2;
  }
  void check_quantiles(std::string_view key) const {
    const auto& q = spec_.quantiles;
    if (q.size() < 2 || q.front().first != 0 || q.back().first != 1) {
      refuse(fmt::format("{}: quantiles begin with p = 0 (the shortest) and end with p = 1 (the longest)", key));
    }
    for (std::size_t i = 0; i < q.size(); ++i) {
      check_length(q[i].second, key, "quantiles");
      if (i > 0 && !(q[i].first > q[i - 1].first)) refuse(fmt::format("{}: quantiles must rise in p", key));
      if (i > 0 && q[i].second < q[i - 1].second) refuse(fmt::format("{}: quantiles must not fall in length", key));
    }
  }
  /// For each of knot_slots equal parts of [0, 1): the last knot at or below its begin, so that a draw need not search.
  void index_knots() {
    const auto& q = spec_.quantiles;
    first_knot_.resize(knot_slots);
    std::ptrdiff_t knot = 0;
    for (std::size_t slot = 0; slot < knot_slots; ++slot) {
      while (q[static_cast<std::size_t>(knot) + 1].first <= static_cast<double>(slot) / knot_slots) ++knot;
      first_knot_[slot] = knot;
    }
  }
  [[nodiscard]] std::int32_t at_quantile(double p) const {
    const auto& q = spec_.quantiles;
    auto below = q.begin() + first_knot_[static_cast<std::size_t>(p * knot_slots)];
    auto above = below + 1;
    while (above->first <= p) below = above++;  // ends at the last knot: p < 1
    const double part = (p - below->first) / (above->first - below->first);
    return static_cast<std::int32_t>(std::llround(below->second + part * (above->second - below->second)));
  }

  LengthSpec spec_;
  double mu_ = 0, sigma_ = 0;
  std::vector<std::ptrdiff_t> first_knot_;  // of quantiles
};

/// The times of successive requests.
class Arrivals {
 public:
  explicit Arrivals(const SyntheticSpec& spec) : kind_(spec.arrivals), count_(spec.count) {
    if (at_once()) return;
    if (!positive(spec.rate_per_s)) refuse("rate must be above 0");
    gap_ns_ = 1e9 / spec.rate_per_s;
    // A quarter of the clock's range for the mean leaves room for the draws.
    if (!(gap_ns_ * static_cast<double>(spec.count) < latest_ns / 4)) {
      refuse("count / rate is over 36 years; raise the rate or lower the count");
    }
    if (kind_ != ArrivalKind::gamma) return;
    if (!(spec.cv >= 0.01 && spec.cv <= 100)) refuse("cv of gamma arrivals must lie in 0.01 ... 100; 1 is poisson");
    shape_ = 1 / (spec.cv * spec.cv);
  }

  /// The time of request `i`; called for 0, 1, 2, ... in turn.
  [[nodiscard]] std::int64_t next(std::uint64_t i, Rng& rng) {
    if (at_once() || i == 0) return 0;
    if (kind_ == ArrivalKind::constant) return std::llround(static_cast<double>(i) * gap_ns_);
    // Mean of a gamma = shape x scale; its cv = 1 / sqrt(shape).
    const double gap = kind_ == ArrivalKind::poisson ? rng.exponential(gap_ns_) : rng.gamma(shape_, gap_ns_ / shape_);
    now_ns_ += std::llround(std::min(gap, latest_ns - static_cast<double>(now_ns_)));
    return now_ns_;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  [[nodiscard]] bool at_once() const { return kind_ == ArrivalKind::burst || kind_ == ArrivalKind::closed; }
  ArrivalKind kind_;
  std::uint64_t count_;
  double gap_ns_ = 0;
  double shape_ = 1;
  std::int64_t now_ns_ = 0;
};

/// What stands in front of the prompts of a group. The groups differ by salt, so that one list does for all.
struct Prefix {
  explicit Prefix(const SyntheticSpec& spec)
      : tokens(spec.prefix_tokens), groups(spec.prefix_groups), hash_tokens(spec.hash_tokens) {
    if (tokens == 0) return;
    if (tokens < 0 || tokens >= max_length_tokens)
      refuse(fmt::format("prefix.tokens must lie in 1 ... {}", max_length_tokens - 1));
    if (groups < 1) refuse("prefix.groups must be at least 1");
    if (hash_tokens < 1) refuse("hash_block_size must be at least 1");
    hashes.resize(static_cast<std::size_t>(tokens / hash_tokens));
    std::iota(hashes.begin(), hashes.end(), std::uint64_t{0});
  }
  std::int32_t tokens, groups;
  std::int64_t hash_tokens;
  std::vector<std::uint64_t> hashes;
};

struct Generator {
  Arrivals arrivals;
  Lengths prompt, output;
  Prefix prefix;
  std::uint64_t seed;
};

class SyntheticStream final : public RequestStream {
 public:
  explicit SyntheticStream(std::shared_ptr<const Generator> generator)
      : generator_(std::move(generator)),
        arrivals_(generator_->arrivals),
        arrival_rng_(generator_->seed, "arrivals"),
        prompt_rng_(generator_->seed, "prompt lengths"),
        output_rng_(generator_->seed, "output lengths"),
        group_rng_(generator_->seed, "prefix groups") {}

  std::size_t read(std::span<Request> out) override {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), arrivals_.count() - next_));
    for (Request& r : out.first(n)) {
      r.arrival_ns = arrivals_.next(next_, arrival_rng_);
      r.prompt_tokens = generator_->prompt.draw(prompt_rng_);
      r.output_tokens = generator_->output.draw(output_rng_);
      r.id = next_++;
      r.max_tokens = 0;
      r.content = -1;
      if (const Prefix& prefix = generator_->prefix; prefix.tokens > 0) {
        r.prompt_tokens = prefix.tokens + std::min(r.prompt_tokens, max_length_tokens - prefix.tokens);
        r.content = static_cast<std::int32_t>(group_rng_.below(static_cast<std::uint64_t>(prefix.groups)));
      }
    }
    return n;
  }
  [[nodiscard]] PromptContent content(const Request& r) const override {
    if (r.content < 0) return {};
    const Prefix& prefix = generator_->prefix;
    return {prefix.hashes, prefix.hash_tokens, static_cast<std::uint64_t>(r.content), {}};
  }

 private:
  std::shared_ptr<const Generator> generator_;
  Arrivals arrivals_;
  Rng arrival_rng_, prompt_rng_, output_rng_, group_rng_;
  std::uint64_t next_ = 0;
};

class SyntheticWorkload final : public Workload {
 public:
  explicit SyntheticWorkload(std::shared_ptr<const Generator> generator) : generator_(std::move(generator)) {}
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override {
    return std::make_unique<SyntheticStream>(generator_);
  }

 private:
  std::shared_ptr<const Generator> generator_;
};
}  // namespace

std::shared_ptr<const Workload> synthetic_workload(const SyntheticSpec& spec, std::uint64_t seed) {
  if (spec.count < 1) refuse("count must be at least 1");
  auto drawn = std::make_shared<SyntheticWorkload>(std::make_shared<const Generator>(
      Generator{Arrivals(spec), Lengths(spec.prompt, "prompt"), Lengths(spec.output, "output"), Prefix(spec), seed}));
  if (spec.arrivals != ArrivalKind::closed) return drawn;
  if (spec.concurrency < 1) refuse("concurrency must be at least 1");
  if (!(spec.think_ns >= 0)) refuse("think must not be negative");
  return closed_loop(std::move(drawn), spec.concurrency, std::llround(spec.think_ns));
}
}  // namespace stowage
