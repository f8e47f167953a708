#pragma once
// The fits of single parts, behind calibrate().
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

/// The clock that whole steps run at, by their rows: under the power limit work that computes runs slower than in the
/// short bursts that time a single kernel.
struct StepClock {
  std::vector<double> rows, mhz;  // empty = nothing known
  [[nodiscard]] double at(double step_rows) const;
  /// That of the smallest steps, 0 when nothing is known: prefill attention is fitted at it.
  [[nodiscard]] double reference() const { return mhz.empty() ? 0 : mhz.front(); }
  /// A burst's time at the step's clock. `memory_ns`: what its traffic takes in any case; the nearer, the less it moves.
  [[nodiscard]] double slowed(double burst_ns, double burst_mhz, double step_rows, double memory_ns) const;
};

[[nodiscard]] LaunchCosts launch_costs(std::span<const ProbeFile> probes, Profile& profile);
[[nodiscard]] StepClock step_clock(std::span<const IterationPoint> points);
[[nodiscard]] PartFit fit_gemm(const ProbeFile& probe, const LaunchCosts& launch, const StepClock& clock, Profile& profile);
[[nodiscard]] PartFit fit_decode(const ProbeFile& probe, const LaunchCosts& launch, Profile& profile);
[[nodiscard]] PartFit fit_prefill(const ProbeFile& probe, const LaunchCosts& launch, const StepClock& clock,
                                  Profile& profile);
/// Nothing when no probe timed two GPUs.
[[nodiscard]] std::optional<PartFit> fit_all_reduce(std::span<const ProbeFile> probes, Profile& profile);
[[nodiscard]] std::optional<PartFit> fit_vmm(std::span<const ProbeFile> probes, Profile& profile);

/// The measured iterations, every second of a kind and layout marked `fitted`.
[[nodiscard]] std::vector<IterationPoint> iteration_points(const ProbeFile& probe);
/// The elementwise kernels from the fitted half; the host's share from wall times.
void fit_elementwise(const ModelSpec& model, const HardwareSpec& hardware, std::span<const IterationPoint> points,
                     Profile& profile);
void fit_host(const ProbeFile& probe, Profile& profile);
/// Fills predicted_ns: GPU time, the host's share left out.
void predict(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile,
             std::span<IterationPoint> points);

/// Where a fit had too little.
[[noreturn]] void missing(const ProbeFile& probe, const std::string& part, const std::string& what);
}  // namespace stowage::detail
