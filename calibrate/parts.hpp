#pragma once
// The fits of single parts, behind calibrate().
#include <cstdint>
#include <span>
#include <vector>

#include "calibrate/calibrate.hpp"

namespace stowage::detail {

/// What a timed kernel carries besides its work.
struct LaunchCosts {
  double alone_ns = 0;  // an empty kernel between two events
  double graph_ns = 0;  // one more empty kernel in a graph
  double eager_ns = 0;  // one more in a stream that never runs dry
  /// Time of a kernel (or `kernels` of them) in a graph from its time alone, launched eagerly.
  [[nodiscard]] double in_graph(double alone, int kernels = 1) const;
};

/// The clock that steps without attention run at back to back, by their rows: under the power limit what computes runs
/// slower than in the short bursts that time a single kernel.
struct StepClock {
  std::vector<double> rows, mhz;  // ascending, falling
  /// That of the smallest steps: what prefill attention is fitted at.
  [[nodiscard]] double reference() const { return mhz.front(); }
};

[[nodiscard]] LaunchCosts launch_costs(std::span<const ProbeFile> probes, Profile& profile);
[[nodiscard]] StepClock step_clock(const ProbeFile& probe);
/// `raw`: the tables as measured, before they were made monotone.
[[nodiscard]] PartFit fit_gemm(const ProbeFile& probe, const LaunchCosts& launch, Profile& profile,
                               std::vector<GemmTable>& raw);
void fit_elementwise(const ProbeFile& probe, Profile& profile);
/// Needs products and kernels that move bytes.
[[nodiscard]] PartFit fit_dense(const ProbeFile& probe, const ModelSpec& model, const HardwareSpec& hardware,
                                const std::vector<GemmTable>& raw, Profile& profile);
[[nodiscard]] PartFit fit_decode(const ProbeFile& probe, const LaunchCosts& launch, Profile& profile);
/// `kernels`: loader and block size of those to price; the first is taken where a layout has none of its own.
[[nodiscard]] PartFit fit_prefill(const ProbeFile& probe, const LaunchCosts& launch, const StepClock& clock,
                                  Profile& profile,
                                  const std::vector<std::pair<std::string, std::int64_t>>& kernels = {{"tensor", 0},
                                                                                                      {"gather", 16}});
/// A prompt's step by what ran before it. Nothing when the probe has no part `clock`.
[[nodiscard]] std::optional<PartFit> fit_rested(const ProbeFile& probe, Profile& profile, std::uint64_t seed = 1);
/// A capacity and a recharge of full-clock time, and what they leave unexplained: relative errors summed over `rests`
/// rests, whose times repeat to `noise` (standard deviation of their means, relative).
struct Credit {
  double capacity_ns = 0, recharge = 0, error = 0;
};
struct CreditSearch {
  std::vector<Credit> tried;
  std::size_t rests = 0;
  double noise = 0;
  [[nodiscard]] const Credit& best() const;  // of least error, the first of them
};
/// Draws of both, by batch as in `searches` (calibrate/credit_draws.cpp has the rule).
void draw_credit(std::span<const CreditSearch> searches, std::uint64_t seed, Profile::Rested& rested);
/// Nothing when no probe timed two GPUs.
[[nodiscard]] std::optional<PartFit> fit_all_reduce(std::span<const ProbeFile> probes, Profile& profile);
[[nodiscard]] std::optional<PartFit> fit_vmm(std::span<const ProbeFile> probes, Profile& profile);

/// "512@0,300@2048" (new tokens @ stored ones); empty when the text is something else.
[[nodiscard]] std::vector<std::pair<std::int64_t, std::int64_t>> parse_chunks(std::string_view text);
[[nodiscard]] std::vector<IterationPoint> iteration_points(const ProbeFile& probe);
/// The host's share of a step from wall times.
void fit_host(const ProbeFile& probe, Profile& profile);
/// Fills predicted_ns: GPU time, the host's share left out.
void predict(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile,
             std::span<IterationPoint> points);

inline constexpr std::size_t draw_count = 32;  // of a profile
/// Factors of a part: the mean of resampled residuals (points are few and noisy) times the spread between machines, a
/// relative standard deviation.
[[nodiscard]] Profile::Draws draws_of(const std::string& part, const std::vector<double>& residuals, double spread,
                                      std::uint64_t seed);
/// Where a fit had too little.
[[noreturn]] void missing(const ProbeFile& probe, const std::string& part, const std::string& what);
}  // namespace stowage::detail
