// Whole iterations: what they tell that no single kernel does, and how well the parts predict them.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "calibrate/fit.hpp"
#include "calibrate/parts.hpp"

namespace stowage::detail {
namespace {
/// "512@0,300@2048" (new@stored); empty when the text is something else.
std::vector<std::pair<std::int64_t, std::int64_t>> parse_chunks(std::string_view text) {
  std::vector<std::pair<std::int64_t, std::int64_t>> out;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    std::pair<std::int64_t, std::int64_t> chunk;
    auto read = std::from_chars(at, end, chunk.first);
    if (read.ec != std::errc() || read.ptr == end || *read.ptr != '@') return {};
    read = std::from_chars(read.ptr + 1, end, chunk.second);
    if (read.ec != std::errc() || chunk.first < 1 || chunk.second < 0) return {};
    out.push_back(chunk);
    at = read.ptr;
    if (at < end && *at++ != ',') return {};
  }
  return out;
}

StepShape shape_of(const StepCost& cost, const IterationPoint& p) {
  StepShape shape;
  shape.decode_seqs = p.decodes;
  shape.decode_kv_tokens = p.decode_kv_tokens;
  for (const auto& [q, stored] : p.chunks) {
    shape.prefill_tokens += q;
    cost.add_chunk(shape, q, stored);
  }
  return shape;
}

/// One compiled table a layout.
class Costs {
 public:
  Costs(const ModelSpec& model, const HardwareSpec& hardware, Profile profile, std::span<const IterationPoint> points)
      : model_(model), hardware_(hardware), profile_(std::move(profile)) {
    profile_.host_graph_ns = profile_.host_eager_ns = 0;  // iterations are GPU time
    for (const auto& p : points) {
      target_.max_batched_tokens = std::max(target_.max_batched_tokens, p.rows);
      target_.max_batch = std::max(target_.max_batch, p.decodes);
    }
  }
  double ns(const IterationPoint& p) {
    auto it = compiled_.find(p.layout.block_tokens);
    if (it == compiled_.end()) {
      target_.layout = p.layout;
      it = compiled_.emplace(p.layout.block_tokens, compile_profile(model_, hardware_, profile_, target_)).first;
    }
    return it->second.ns(shape_of(it->second, p));
  }

 private:
  const ModelSpec& model_;
  const HardwareSpec& hardware_;
  Profile profile_;
  ProfileTarget target_;
  std::map<std::int64_t, StepCost> compiled_;
};
}  // namespace

std::vector<IterationPoint> iteration_points(const ProbeFile& probe) {
  std::vector<IterationPoint> points;
  std::map<std::pair<std::string, std::int64_t>, int> seen;
  for (const ProbeFigure* f : probe.find("iteration", "iteration")) {
    IterationPoint p;
    p.kind = f->text("kind");
    p.layout.block_tokens = f->integer("block_tokens");
    p.decodes = f->integer("decodes");
    p.decode_kv_tokens = f->integer("decode_kv_tokens");
    const std::int64_t chunks = f->integer("chunks"), tokens = f->integer("chunk_tokens");
    p.chunks = parse_chunks(f->text("chunk_list"));
    if (p.chunks.empty()) {  // older probes give sums only: equal chunks
      for (std::int64_t i = 0; i < chunks; ++i)
        p.chunks.emplace_back(tokens / chunks + (i < tokens % chunks ? 1 : 0), f->integer("chunk_stored_tokens") / chunks);
    }
    p.rows = p.decodes + tokens;
    p.clock_mhz = f->clock_mhz;
    p.measured_ns = f->median * 1e3;
    if (p.rows < 1 || !(p.measured_ns > 0)) continue;
    p.fitted = seen[{p.kind, p.layout.block_tokens}]++ % 2 == 0;
    points.push_back(std::move(p));
  }
  return points;
}

StepClock step_clock(std::span<const IterationPoint> points) {
  StepClock clock;
  for (double rows = 64; rows <= 16384; rows *= 2) {
    std::vector<double> near;
    for (const auto& p : points) {
      const double r = static_cast<double>(padded_rows(p.rows));
      if (p.fitted && !p.chunks.empty() && p.clock_mhz > 0 && r > rows / 1.5 && r <= rows * 1.5) near.push_back(p.clock_mhz);
    }
    if (near.empty()) continue;
    clock.rows.push_back(rows);
    clock.mhz.push_back(median_of(near));
  }
  // More rows draw more power; what else moves is noise.
  for (std::size_t i = 1; i < clock.mhz.size(); ++i) clock.mhz[i] = std::min(clock.mhz[i], clock.mhz[i - 1]);
  return clock;
}

double StepClock::at(double step_rows) const {
  if (rows.empty()) return 0;
  if (step_rows <= rows.front()) return mhz.front();
  if (step_rows >= rows.back()) return mhz.back();
  const auto it = std::upper_bound(rows.begin(), rows.end(), step_rows);
  const auto i = static_cast<std::size_t>(it - rows.begin()) - 1;
  return std::lerp(mhz[i], mhz[i + 1], std::log2(step_rows / rows[i]) / std::log2(rows[i + 1] / rows[i]));
}

double StepClock::slowed(double burst_ns, double burst_mhz, double step_rows, double memory_ns) const {
  const double mhz_then = at(step_rows);
  if (!(burst_mhz > 0) || !(mhz_then > 0)) return burst_ns;
  // At the time its traffic takes, the clock does not matter; at twice that, it all follows the clock.
  const double share = std::clamp(2 * (1 - memory_ns / burst_ns), 0.0, 1.0);
  return burst_ns * std::pow(burst_mhz / mhz_then, share);
}

void fit_elementwise(const ModelSpec& model, const HardwareSpec& hardware, std::span<const IterationPoint> points,
                     Profile& profile) {
  // Prices are linear in the two coefficients: their weights are what each adds when set to one.
  constexpr double kernel_one = 1'000, bandwidth_one = 1e12, unlimited = 1e30;
  const auto with = [&](double kernel_ns, double bytes_per_s) {
    Profile p = profile;
    p.elementwise_kernel_ns = kernel_ns;
    p.elementwise_bytes_per_s = bytes_per_s;
    return Costs(model, hardware, p, points);
  };
  Costs none = with(0, unlimited), kernel = with(kernel_one, unlimited), traffic = with(0, bandwidth_one);
  // Huber on the residual of the whole iteration: the rest is divided by the iteration, not by itself.
  std::vector<Equation> equations;
  for (const auto& p : points) {
    if (!p.fitted) continue;
    const double base = none.ns(p);
    equations.push_back({{base, kernel.ns(p) - base, traffic.ns(p) - base}, p.measured_ns});
  }
  // The parts' own coefficient is held at one: what they explain is taken off both sides.
  for (auto& e : equations) {
    const double rest = std::max(e.value - e.terms[0], 1e-3 * e.value);
    const double weight = e.value / rest;  // relative to the iteration
    e = {{e.terms[1] * weight, e.terms[2] * weight}, rest * weight};
  }
  // After scaling by `weight` a residual of one unit of value is one of the whole iteration again.
  const auto fitted = fit_nonnegative(equations, 0.02);
  profile.elementwise_kernel_ns = fitted[0] * kernel_one;
  profile.elementwise_bytes_per_s = fitted[1] > 0 ? bandwidth_one / fitted[1] : unlimited;
}

void fit_host(const ProbeFile& probe, Profile& profile) {
  std::map<std::string, double> gpu;
  for (const ProbeFigure* f : probe.find("iteration", "iteration")) gpu[f->str().substr(f->name.size())] = f->median;
  std::vector<double> graph, eager;
  for (const ProbeFigure* f : probe.find("iteration", "iteration_wall")) {
    const auto it = gpu.find(f->str().substr(f->name.size()));
    if (it == gpu.end()) continue;
    (f->text("kind") == "decode" ? graph : eager).push_back(std::max(0.0, f->median - it->second) * 1e3);
  }
  if (graph.empty()) missing(probe, "iteration", "iteration_wall");
  profile.host_graph_ns = median_of(graph);
  profile.host_eager_ns = eager.empty() ? profile.host_graph_ns : median_of(eager);
}

void predict(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile,
             std::span<IterationPoint> points) {
  Costs costs(model, hardware, profile, points);
  for (auto& p : points) p.predicted_ns = costs.ns(p);
}
}  // namespace stowage::detail
