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
/// Longer eager steps are moved more by the clock between two timings than by the host.
constexpr std::int64_t eager_rows_max = 128;

std::string keys_of(const ProbeFigure& f) { return f.str().substr(f.name.size()); }

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

/// One compiled table a layout. The probe's decode steps have equal contexts, its mixed ones unequal.
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
    const std::pair key(p.layout.block_tokens, p.kind != "decode");
    auto it = compiled_.find(key);
    if (it == compiled_.end()) {
      target_.layout = p.layout;
      target_.ragged = key.second;
      it = compiled_.emplace(key, compile_profile(model_, hardware_, profile_, target_)).first;
    }
    return it->second.ns(shape_of(it->second, p));
  }

 private:
  const ModelSpec& model_;
  const HardwareSpec& hardware_;
  Profile profile_;
  ProfileTarget target_;
  std::map<std::pair<std::int64_t, bool>, StepCost> compiled_;
};
}  // namespace

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

std::vector<IterationPoint> iteration_points(const ProbeFile& probe) {
  std::vector<IterationPoint> points;
  const bool sustained = !probe.find("iteration", "iteration_sustained").empty();
  for (const char* name : {"iteration", "iteration_sustained"}) {
    for (const ProbeFigure* f : probe.find("iteration", name)) {
      IterationPoint p;
      p.kind = f->text("kind");
      p.layout.block_tokens = f->integer("block_tokens");
      p.decodes = f->integer("decodes");
      p.decode_kv_tokens = f->integer("decode_kv_tokens");
      const std::int64_t chunks = f->integer("chunks"), tokens = f->integer("chunk_tokens");
      p.chunks = parse_chunks(f->text("chunk_list"));
      if (p.chunks.empty()) {  // older probes give sums only: equal chunks
        for (std::int64_t i = 0; i < chunks; ++i)
          p.chunks.emplace_back(tokens / chunks + (i < tokens % chunks ? 1 : 0),
                                f->integer("chunk_stored_tokens") / chunks);
      }
      p.rows = p.decodes + tokens;
      p.clock_mhz = f->clock_mhz;
      p.measured_ns = f->median * 1e3;
      if (p.rows < 1 || !(p.measured_ns > 0)) continue;
      p.sustained = std::string_view(name) == "iteration_sustained";
      // Decode steps draw too little power for bursts to differ; few of them were run back to back.
      p.anchor = p.kind == "decode" ? !p.sustained : p.sustained == sustained;
      points.push_back(std::move(p));
    }
  }
  return points;
}

void fit_host(const ProbeFile& probe, Profile& profile) {
  std::map<std::string, double> gpu;
  for (const ProbeFigure* f : probe.find("iteration", "iteration")) gpu[keys_of(*f)] = f->median;
  std::vector<double> graph, eager;
  for (const ProbeFigure* f : probe.find("iteration", "iteration_wall")) {
    const auto it = gpu.find(keys_of(*f));
    if (it == gpu.end()) continue;
    const double host = (f->median - it->second) * 1e3;
    const std::int64_t rows = f->integer("decodes") + f->integer("chunk_tokens");
    if (f->text("kind") == "decode")
      graph.push_back(host);
    else if (rows <= eager_rows_max)
      eager.push_back(host);
  }
  if (graph.empty()) missing(probe, "iteration", "iteration_wall");
  profile.host_graph_ns = std::max(0.0, median_of(graph));
  profile.host_eager_ns = std::max(profile.host_graph_ns, median_of(eager));
}

void predict(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile,
             std::span<IterationPoint> points) {
  Costs costs(model, hardware, profile, points);
  for (auto& p : points) p.predicted_ns = costs.ns(p);
}
}  // namespace stowage::detail
