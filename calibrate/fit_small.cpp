// The small parts: launches, all-reduce, the driver's virtual-memory calls.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "calibrate/fit.hpp"
#include "calibrate/parts.hpp"

namespace stowage::detail {
namespace {
const ProbeFigure* first(std::span<const ProbeFile> probes, std::string_view part, std::string_view name,
                         const std::map<std::string, std::int64_t>& keys) {
  for (const auto& probe : probes)
    for (const ProbeFigure* f : probe.find(part, name)) {
      const bool all =
          std::all_of(keys.begin(), keys.end(), [&](const auto& k) { return f->integer(k.first, -1) == k.second; });
      if (all) return f;
    }
  return nullptr;
}

double extra_of(const ProbeFigure& f, std::string_view key, double fallback) {
  const auto it = f.extra.find(key);
  return it == f.extra.end() ? fallback : it->second;
}

/// Relative standard deviation between probes of the same figure, over all figures of these names two probes share.
double spread_of(std::span<const ProbeFile> probes, std::span<const std::string_view> names) {
  std::map<std::string, std::vector<double>> same;
  for (const auto& probe : probes)
    for (const auto name : names)
      for (const ProbeFigure* f : probe.find("vmm", name))
        if (f->median > 0) same[f->str()].push_back(std::log(f->median));
  double square = 0;
  double count = 0;
  for (const auto& [name, logs] : same) {
    if (logs.size() < 2) continue;
    double mean = 0;
    for (const double v : logs) mean += v / static_cast<double>(logs.size());
    for (const double v : logs) square += (v - mean) * (v - mean);
    count += static_cast<double>(logs.size() - 1);
  }
  return count > 0 ? std::sqrt(square / count) : 0;
}
}  // namespace

void missing(const ProbeFile& probe, const std::string& part, const std::string& what) {
  const auto it = probe.parts.find(part);
  std::string why = "it has no such part";
  if (it != probe.parts.end())
    why = it->second.status == "measured" ? "too few of its figures are there"
                                          : fmt::format("its part is {}: {}", it->second.status, it->second.reason);
  throw InputError({probe.path, 0, 0},
                   fmt::format("the probe did not measure {} (part {}): {}; run `gpu_probe all`, or "
                               "give a further probe file that has it",
                               what, part, why));
}

double LaunchCosts::in_graph(double alone, int kernels) const {
  const double carried = alone_ns + (kernels - 1) * eager_ns - kernels * graph_ns;
  return std::max(alone - carried, 0.1 * alone);  // a kernel cannot take nothing
}

LaunchCosts launch_costs(std::span<const ProbeFile> probes, Profile& profile) {
  const ProbeFigure* alone = first(probes, "launch", "eager_gpu", {{"kernels", 1}});
  const ProbeFigure* eager = first(probes, "launch", "eager_gpu", {{"kernels", 400}});
  const ProbeFigure* graph = first(probes, "launch", "graph_gpu", {{"nodes", 500}});
  if (alone == nullptr || eager == nullptr || graph == nullptr) missing(probes.front(), "launch", "launches");
  LaunchCosts costs{alone->median * 1e3, graph->median * 1e3 / 500, eager->median * 1e3 / 400};
  profile.graph_kernel_ns = costs.graph_ns;
  profile.eager_kernel_ns = costs.eager_ns;
  return costs;
}

std::optional<PartFit> fit_all_reduce(std::span<const ProbeFile> probes, Profile& profile) {
  std::map<double, double> by_bytes;
  for (const auto& probe : probes) {
    for (const ProbeFigure* f : probe.find("collective", "all_reduce")) {
      const double operations = static_cast<double>(std::max<std::int64_t>(1, f->integer("operations", 1)));
      by_bytes.emplace(static_cast<double>(f->integer("bytes")), f->median * 1e3 / operations);
    }
    if (!by_bytes.empty()) break;
  }
  if (by_bytes.size() < 3) return std::nullopt;
  PartFit fit;
  AllReducePrices prices{2, {}};
  std::vector<double> raw, residuals;
  for (const auto& [bytes, ns] : by_bytes) {
    prices.bytes.x.push_back(bytes);
    raw.push_back(ns);
  }
  prices.bytes.ns = monotone(raw);
  for (std::size_t i = 1; i + 1 < raw.size(); ++i) {
    const auto& x = prices.bytes.x;
    const double predicted = raw[i - 1] + (raw[i + 1] - raw[i - 1]) * (x[i] - x[i - 1]) / (x[i + 1] - x[i - 1]);
    fit.points.push_back({fmt::format("{} bytes", x[i]), "2 GPUs", x[i], raw[i], predicted});
    residuals.push_back(fit.points.back().residual());
  }
  fit.error = error_of("all_reduce", residuals,
                       "all-reduce over 2 GPUs, left out one at a time, against a line between its neighbours");
  profile.all_reduce.push_back(std::move(prices));
  return fit;
}

std::optional<PartFit> fit_vmm(std::span<const ProbeFile> probes, Profile& profile) {
  constexpr std::int64_t page = 2 << 20;
  PartFit fit;
  std::vector<double> residuals;
  const auto call = [&](std::string_view name, std::string_view live, std::string_view scattered,
                        std::string_view adjacent) -> std::optional<VmmPrice> {
    const ProbeFigure* one = first(probes, "vmm", name, {{"handle_bytes", page}});
    if (one == nullptr) return std::nullopt;
    VmmPrice price;
    price.call_ns = one->median * 1e3;
    // A server grows requests one page in each of many tensors, among many live handles and while the GPU decodes:
    // dearer than a bare call. What it costs is the host's as much as the GPU's, so that the middle one of all machines
    // counts.
    std::vector<double> machines;
    for (const auto& probe : probes) {
      std::vector<double> grown;
      for (const ProbeFigure* f : probe.find("vmm", fmt::format("beside_decode_{}", name)))
        if (f->integer("maps_per_s", -1) == 0) grown.push_back(f->median * 1e3);
      if (grown.empty() && !scattered.empty())
        for (const ProbeFigure* f : probe.find("vmm", scattered))
          if (f->text("neighbour") == "mapped") grown.push_back(extra_of(*f, "us_per_handle", 0) * 1e3);
      if (grown.empty() && scattered.empty())
        for (const ProbeFigure* f : probe.find("vmm", live)) grown.push_back(f->median * 1e3);
      if (!grown.empty()) machines.push_back(median_of(grown));
    }
    if (!machines.empty()) price.call_ns = median_of(machines);
    const std::string beside = fmt::format("beside_decode_{}", name);
    const std::vector<std::string_view> names = {name, live, scattered, adjacent, beside};
    price.spread = spread_of(probes, names);
    // One call over n adjacent handles: what each further one adds.
    std::vector<Equation> equations;
    for (const ProbeFigure* f :
         adjacent.empty() ? std::vector<const ProbeFigure*>() : probes.front().find("vmm", adjacent))
      if (f->median > 0) equations.push_back({{1, static_cast<double>(f->integer("handles") - 1)}, f->median * 1e3});
    if (equations.size() < 3) return price;
    const auto fitted = fit_nonnegative(equations, 0.1);
    price.handle_ns = fitted[1];
    for (const auto& e : equations) {
      fit.points.push_back({fmt::format("{} over {} handles", name, e.terms[1] + 1), std::string(name), e.terms[1] + 1,
                            e.value, fitted[0] + fitted[1] * e.terms[1]});
      residuals.push_back(fit.points.back().residual());
    }
    return price;
  };
  profile.vmm_create = call("create", "live_create", "", "");
  profile.vmm_map = call("map", "live_map", "scattered_map", "");
  profile.vmm_set_access = call("set_access", "live_set_access", "scattered_set_access", "adjacent_set_access");
  profile.vmm_unmap = call("unmap", "live_unmap", "scattered_unmap", "adjacent_unmap");
  if (!profile.vmm_map || !profile.vmm_set_access) return std::nullopt;
  fit.error = error_of("vmm", residuals,
                       "one set-access or unmap over 1 to 128 adjacent handles, against fixed plus per handle");
  return fit;
}
}  // namespace stowage::detail
