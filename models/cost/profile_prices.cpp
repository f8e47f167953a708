#include "models/cost/profile_prices.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace stowage {
namespace {
bool attention_known(const ModelSpec& m) { return !m.latent() && m.window == 0; }

/// Of one step, priced as compiled, the share that no measurement priced.
double unmeasured_share(const OperatorGraph& graph, const ProfilePrices& prices, const StepCost& cost,
                        StepShape shape) {
  if (shape.prefill_tokens > 0) cost.add_chunk(shape, shape.prefill_tokens, 0);
  double ns = 0;
  for (const OperatorPrice& line : bill_of_step(graph, prices, shape)) {
    const bool attention = line.name.ends_with("attention");
    if (!line.measured && line.resource != Resource::host && !(attention && prices.knows_attention())) ns += line.ns;
  }
  return std::min(1.0, ns / cost.ns(shape));
}
}  // namespace

ProfilePrices::ProfilePrices(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile,
                             const Layout& layout, bool host, const RooflineEfficiency& efficiency)
    : profile_(profile),
      sheet_(hardware, layout, efficiency),
      tensor_(layout.tensor),
      knows_attention_(attention_known(model)),
      host_(host) {
  if (model.latent()) return;
  // The graph counts what an engine's two kernels move: q and k rotated in place, then k and v copied to the cache. The
  // kernel of the table does both: it reads k and v once.
  const auto q = static_cast<double>(model.heads / layout.tensor);
  const auto kv = static_cast<double>(model.kv_heads_per_gpu(layout.tensor));
  const double kept =
      2 * kv * static_cast<double>(dtype_bytes(model.kv_dtype)) / static_cast<double>(dtype_bytes(model.dtype));
  rotate_share_ = (2 * q + 2 * kv + kept) / (2 * q + 4 * kv + kept);
}

OperatorCost ProfilePrices::gemm(const GemmWork& work) const {
  if (work.weights != 1 || work.bytes_per_weight != 2 || work.element != 2 || work.eight_bit) return sheet_.gemm(work);
  const auto rows = static_cast<std::int64_t>(std::ceil(work.rows));
  const auto [product, added] = products_.try_emplace({rows, work.n, work.k}, 0.0);
  if (added) product->second = profile_.gemm_ns(rows, work.n, work.k);
  return {product->second, sheet_.gemm(work).bound, true};  // what bounds it is the sheet's view
}

OperatorCost ProfilePrices::elementwise(double bytes, Mover mover) const {
  const OperatorCost sheet = sheet_.elementwise(bytes, mover);
  switch (mover) {
    case Mover::norm:
      return {profile_.norm.at(bytes), sheet.bound, true};
    case Mover::rotate:
      return {profile_.rotate.at(bytes * rotate_share_), sheet.bound, true};
    case Mover::activate:
      return {profile_.activate.at(bytes), sheet.bound, true};
    // The graph counts 10 bytes a logit of the whole vocabulary; the table has the 2 that are read, of one GPU's share.
    case Mover::sample:
      return {profile_.sample.at(bytes / 5 / static_cast<double>(tensor_)), sheet.bound, true};
    case Mover::other:
      break;
  }
  return sheet;
}

OperatorCost ProfilePrices::collective(Collective kind, double bytes, Group group) const {
  if (kind != Collective::all_reduce || group != Group::tensor || profile_.all_reduce.empty())
    return sheet_.collective(kind, bytes, group);
  return {profile_.all_reduce_ns(bytes, tensor_), Bound::link, true};
}

OperatorCost ProfilePrices::attention_kernel() const {
  return knows_attention_ ? OperatorCost{0, Bound::fixed} : sheet_.attention_kernel();
}

DecodeAttention ProfilePrices::decode_attention(const AttentionWork& work) const {
  return knows_attention_ ? DecodeAttention{} : sheet_.decode_attention(work);
}

PrefillAttention ProfilePrices::prefill_attention(const AttentionWork& work) const {
  return knows_attention_ ? PrefillAttention{} : sheet_.prefill_attention(work);
}

StepTerms ProfilePrices::step(double rows, bool graph) const {
  const double launch = graph ? 0 : std::max(0.0, profile_.eager_kernel_ns - profile_.graph_kernel_ns);
  const double host = !host_ ? 0 : graph ? profile_.host_graph_ns : profile_.host_eager_ns;
  return {(graph ? profile_.chain_graph : profile_.chain_eager).at(padded(rows)), launch, host};
}

double ProfilePrices::padded(double rows) const {
  return static_cast<double>(padded_rows(static_cast<std::int64_t>(std::ceil(rows))));
}

std::string beyond_profile(const ModelSpec& m, const Layout& layout) {
  std::vector<std::string> beyond;
  if (m.moe()) beyond.emplace_back("experts");
  if (m.latent()) beyond.emplace_back("latent attention");
  if (m.window > 0) beyond.emplace_back("sliding windows");
  if (m.quant != Quant::none) beyond.emplace_back("quantized weights");
  if (m.layers_differ()) beyond.emplace_back("layers that differ from each other");
  if (m.kv_dtype == Dtype::float8) beyond.emplace_back("8-bit K and V");
  if (layout.pipeline > 1) beyond.emplace_back("pipeline stages");
  if (layout.data > 1) beyond.emplace_back("shared experts");
  return fmt::format("{}", fmt::join(beyond, ", "));
}

StepCost compile_partly(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile,
                        const Layout& layout, const ProfileTarget& target, std::int64_t max_context,
                        const RooflineEfficiency& efficiency) {
  if (beyond_profile(model, layout).empty()) return compile_profile(model, hardware, profile, target);
  const OperatorGraph graph(model, layout, max_context);
  const ProfilePrices prices(model, hardware, profile, layout, target.host, efficiency);
  StepCost::Table table = compile_step(graph, prices, target.max_batched_tokens).table();
  if (prices.knows_attention()) {
    table.decode_dense_ns.resize(static_cast<std::size_t>(std::min(target.max_batch, target.max_batched_tokens)) + 1);
    Stages stages{layout.pipeline, 0};
    for (int s = 0; s < layout.pipeline; ++s) stages.widest = std::max(stages.widest, graph.attention_share(s));
    compile_attention(model, profile, target, stages, table);
    if (model.moe() || model.quant != Quant::none) table.boost = {};
  }
  return StepCost(std::move(table));
}

std::string partly_measured(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile,
                            const Layout& layout, const ProfileTarget& target, std::int64_t max_context,
                            const StepCost& cost) {
  const OperatorGraph graph(model, layout, max_context);
  const ProfilePrices prices(model, hardware, profile, layout, target.host);
  const auto percent = [&](const StepShape& shape) {
    return std::floor(100 * (1 - unmeasured_share(graph, prices, cost, shape)));
  };
  const std::int64_t batch = std::min<std::int64_t>({32, target.max_batch, target.max_batched_tokens});
  const std::int64_t prompt = std::min<std::int64_t>(2048, target.max_batched_tokens);
  return fmt::format(
      "measurements price {:.0f} % of a decode step of {} requests with 1,024 tokens each and {:.0f} % "
      "of a prompt step of {} tokens; the rest ({}) is priced by the spec sheet (roofline, "
      "uncalibrated)",
      percent({0, batch, batch * 1024, 0}), batch, percent({prompt, 0, 0, 0}), prompt, beyond_profile(model, layout));
}
}  // namespace stowage
