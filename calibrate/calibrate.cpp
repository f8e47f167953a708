#include "calibrate/calibrate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/config.hpp"
#include "base/rng.hpp"
#include "calibrate/fit.hpp"
#include "calibrate/parts.hpp"

namespace stowage {
namespace {
/// All of one GPU, whole, and of the hardware asked for.
std::string checked_hardware(std::span<const ProbeFile> probes, const CalibrateOptions& options, Problems& problems) {
  const ProbeFile& anchor = probes.front();
  const std::string known = hardware_of(anchor);
  std::string name = options.hardware.empty() ? known : options.hardware;
  if (name.empty())
    problems.add({anchor.path, 0, 0},
                 fmt::format("no hardware of the zoo is a '{}'; name the nearest with --hardware, see "
                             "`stowage hardware list`",
                             anchor.gpu));
  for (const auto& probe : probes) {
    if (probe.gpu != anchor.gpu || probe.sms != anchor.sms)
      problems.add({probe.path, 0, 0},
                   fmt::format("measured on {} ({} SMs), {} on {} ({} SMs): one profile is of one kind "
                               "of GPU",
                               probe.gpu, probe.sms, anchor.path, anchor.gpu, anchor.sms));
    if (probe.quick)
      problems.add({probe.path, 0, 0},
                   "measured with --quick: too few points for a profile; run `gpu_probe all` without it");
    if (probe.in_use_by_others)
      problems.add({probe.path, 0, 0}, "measured while others used the GPU; run it again on an idle one");
  }
  if (!options.hardware.empty() && !known.empty() && known != options.hardware)
    problems.add({anchor.path, 0, 0},
                 fmt::format("measured on {} ({}), not on {}", anchor.gpu, known, options.hardware));
  return name;
}

/// The probe that measured a part first: machines are not mixed within a part.
const ProbeFile& anchor_of(std::span<const ProbeFile> probes, std::string_view part, std::string_view name) {
  for (const auto& probe : probes)
    if (!probe.find(part, name).empty()) return probe;
  return probes.front();
}

/// How far the same figures of a part lie apart between probes, as a relative standard deviation.
double machine_spread(std::span<const ProbeFile> probes, std::string_view part, std::string_view name) {
  std::map<std::string, std::vector<double>> same;
  for (const auto& probe : probes)
    for (const ProbeFigure* f : probe.find(part, name))
      if (f->median > 0) same[f->str()].push_back(std::log(f->median));
  std::vector<double> deviations;
  for (const auto& [key, logs] : same)
    for (std::size_t i = 1; i < logs.size(); ++i) deviations.push_back(logs[i] - logs[0]);
  // What moves a whole machine is the mean over the figures; what moves single figures is noise and averages out.
  double mean = 0;
  for (const double d : deviations) mean += d / static_cast<double>(deviations.size());
  return std::abs(mean);
}

std::vector<double> residuals_of(const PartFit& fit) {
  std::vector<double> out;
  for (const auto& p : fit.points) out.push_back(p.residual());
  return out;
}

std::string source_of(std::span<const ProbeFile> probes) {
  const ProbeFile& a = probes.front();
  std::string dates;
  for (const auto& p : probes) {
    const std::string day = p.date.substr(0, 10);
    if (dates.find(day) == std::string::npos) dates += (dates.empty() ? "" : ", ") + day;
  }
  return fmt::format("gpu_probe {} on {}, driver {}, {} probe file{} ({})", a.version, a.gpu, a.driver, probes.size(),
                     probes.size() == 1 ? "" : "s", dates);
}

PartError iteration_error(const std::string& kind, std::span<const IterationPoint> points) {
  std::vector<double> residuals;
  for (const auto& p : points)
    if (kind == "burst" ? !p.anchor : p.anchor && (kind.empty() || p.kind == kind)) residuals.push_back(p.residual());
  return error_of(kind.empty() ? "iteration" : "iteration_" + kind, residuals,
                  kind == "burst" ? "the same iterations between pauses, at clocks the power limit lets a burst have"
                                  : "whole iterations predicted from the parts; nothing was fitted to them");
}
}  // namespace

Profile::Draws detail::draws_of(const std::string& part, const std::vector<double>& residuals, double spread,
                                std::uint64_t seed) {
  Profile::Draws d{part, {}};
  Rng rng(seed, "calibrate." + part);
  for (std::size_t i = 0; i < draw_count; ++i) {
    double mean = 0;
    for (std::size_t j = 0; j < residuals.size(); ++j)
      mean += residuals[rng.below(residuals.size())] / static_cast<double>(residuals.size());
    // A prediction too high by r is mended by 1 / (1 + r).
    d.factor.push_back(std::max(0.05, std::exp(spread * rng.normal()) / (1 + mean)));
  }
  return d;
}

Calibration calibrate(std::span<const ProbeFile> probes, const CalibrateOptions& options) {
  STOWAGE_ASSERT(!probes.empty());
  Problems problems;
  Calibration out;
  Profile& p = out.profile;
  p.name = checked_hardware(probes, options, problems);
  problems.throw_if_any();
  const HardwareSpec hardware = load_hardware(p.name);
  const ProbeFile& first = probes.front();
  p.gpu = first.gpu;
  p.date = first.date.substr(0, 10);
  p.source = source_of(probes);
  p.command = options.command;
  p.sms = first.sms;

  const ProbeFile& whole = anchor_of(probes, "iteration", "iteration");
  out.iterations = detail::iteration_points(whole);
  if (out.iterations.empty()) detail::missing(whole, "iteration", "whole iterations");
  if (whole.model.empty()) throw InputError({whole.path, 0, 0}, "'model' is missing: whose iterations were these?");
  const ModelSpec model = load_model(whole.model, {whole.path, 0, 0});
  const detail::LaunchCosts launch = detail::launch_costs(probes, p);
  const ProbeFile& chained = anchor_of(probes, "iteration", "dense_sustained");
  const detail::StepClock clock = detail::step_clock(chained);
  p.slowdown_rows = clock.rows;
  for (const double mhz : clock.mhz) p.slowdown.push_back(clock.reference() / mhz);
  std::vector<GemmTable> raw;
  out.parts.push_back(detail::fit_gemm(anchor_of(probes, "gemm", "gemm"), launch, p, raw));
  detail::fit_elementwise(anchor_of(probes, "elementwise", "elementwise"), p);
  out.parts.push_back(detail::fit_dense(chained, model, hardware, raw, p));
  const ProbeFile& attention = anchor_of(probes, "attention", "decode");
  out.parts.push_back(detail::fit_decode(attention, launch, p));
  out.parts.push_back(detail::fit_prefill(attention, launch, clock, p));
  if (auto fit = detail::fit_rested(anchor_of(probes, "clock", "ramp"), p, options.seed))
    out.parts.push_back(std::move(*fit));
  if (auto fit = detail::fit_all_reduce(probes, p)) out.parts.push_back(std::move(*fit));
  if (auto fit = detail::fit_vmm(probes, p)) out.parts.push_back(std::move(*fit));
  detail::fit_host(whole, p);
  p.canary = chained.canary;  // of the machine whose chain prices whole steps
  detail::predict(model, hardware, p, out.iterations);

  for (const auto& fit : out.parts) p.errors.push_back(fit.error);
  for (const char* kind : {"decode", "prefill", "mixed", "", "burst"})
    if (auto e = iteration_error(kind, out.iterations); e.points > 0) p.errors.push_back(std::move(e));

  const std::map<std::string, std::pair<const char*, const char*>> compared = {
      {"gemm", {"gemm", "gemm"}},
      {"decode", {"attention", "decode"}},
      {"prefill", {"attention", "prefill"}},
      {"all_reduce", {"collective", "all_reduce"}},
      {"dense", {"iteration", "dense_sustained"}}};
  for (const auto& fit : out.parts) {
    if (fit.error.part == "rested") continue;  // its error is in that of whole iterations
    const auto it = compared.find(fit.error.part);
    const double spread = it != compared.end() ? machine_spread(probes, it->second.first, it->second.second)
                                               : (p.vmm_set_access ? p.vmm_set_access->spread : 0.0);
    p.draws.push_back(detail::draws_of(fit.error.part, residuals_of(fit), spread, options.seed));
  }
  return out;
}
}  // namespace stowage
