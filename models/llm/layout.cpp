// Which degrees of parallelism a model allows.
#include <fmt/format.h>

#include <algorithm>

#include "models/llm/model.hpp"

namespace stowage {
std::vector<std::int64_t> pipeline_layers(std::int64_t layers, int pipeline) {
  std::vector<std::int64_t> share(static_cast<std::size_t>(pipeline), layers / pipeline);
  const auto rest = static_cast<std::size_t>(layers % pipeline);
  for (std::size_t i = 0; i < rest; ++i) ++share[share.size() - 2 - i];  // rest < pipeline: never below the first
  return share;
}

namespace {
constexpr std::int64_t gpus_max = 1024;

/// Splitting whole heads and MLP columns; `spread`: experts are not split.
bool splits(const ModelSpec& m, std::int64_t t, bool spread) {
  const bool has_dense = !m.moe() || m.dense_layers > 0;
  return m.heads % t == 0 && (!has_dense || m.intermediate % t == 0) &&
         (!m.moe() || (spread && m.shared_experts == 0) || m.expert_intermediate % t == 0) &&
         (m.latent() || m.kv_heads % t == 0 || t % m.kv_heads == 0);
}

std::string shapes_of(const ModelSpec& m) {
  std::string out = fmt::format("{} heads", m.heads);
  if (!m.latent()) out += fmt::format(", {} KV heads", m.kv_heads);
  if (!m.moe() || m.dense_layers > 0) out += fmt::format(", intermediate {}", m.intermediate);
  if (m.moe()) out += fmt::format(", experts of {}", m.expert_intermediate);
  return out;
}

std::optional<LayoutProblem> expert_problem(const ModelSpec& m, const Layout& l) {
  if (l.expert == 1) return std::nullopt;
  if (!m.moe()) return LayoutProblem{"expert", fmt::format("{} has no experts to spread; write expert: 1", m.name)};
  const int spread = l.tensor * l.data;
  if (l.expert != spread)
    return LayoutProblem{"expert", fmt::format("experts are spread over tensor x data = {} GPUs; write {}, or 1 to "
                                               "split each by tensor",
                                               spread, spread)};
  if (m.experts % l.expert != 0)
    return LayoutProblem{"expert", fmt::format("the {} experts of {} cannot be spread over {} GPUs evenly; choose "
                                               "tensor x data among the divisors of {}",
                                               m.experts, m.name, l.expert, m.experts)};
  return std::nullopt;
}
}  // namespace

std::optional<LayoutProblem> layout_problem(const ModelSpec& m, const Layout& l) {
  if (l.tensor < 1 || l.pipeline < 1) return LayoutProblem{"tensor", "tensor and pipeline must be at least 1"};
  if (l.expert < 1 || l.data < 1) return LayoutProblem{"expert", "expert and data must be at least 1"};
  if (l.pipeline > m.layers)
    return LayoutProblem{"pipeline",
                         fmt::format("pipeline {} is more than the {} layers of {}", l.pipeline, m.layers, m.name)};
  if (const auto all = static_cast<std::int64_t>(l.tensor) * l.pipeline * l.data; all > gpus_max)
    return LayoutProblem{l.data > 1 ? "data" : "tensor",
                         fmt::format("tensor x pipeline x data = {} GPUs; at most {} work together", all, gpus_max)};
  if (const auto why = expert_problem(m, l)) return why;
  if (splits(m, l.tensor, l.expert > 1)) return std::nullopt;
  std::string sizes;
  for (std::int64_t t = 1; t <= std::min<std::int64_t>(m.heads, 64); ++t)
    if (splits(m, t, l.expert > 1)) sizes += fmt::format("{}{}", sizes.empty() ? "" : ", ", t);
  return LayoutProblem{
      "tensor", fmt::format("tensor {} does not divide {} ({}); use one of {}", l.tensor, m.name, shapes_of(m), sizes)};
}

std::optional<std::string> parallel_problem(const ModelSpec& m, int tensor, int pipeline) {
  if (auto problem = layout_problem(m, {tensor, pipeline, 1, 1})) return problem->why;
  return std::nullopt;
}
}  // namespace stowage
