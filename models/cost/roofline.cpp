#include "models/cost/roofline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace stowage {
namespace {
/// Query-key pairs of a chunk of q tokens after c when each token sees at most the last `window` (itself included).
double window_pairs(double q, double c, double window) {
  // Token i (1 ... q) sees min(c + i, window).
  const double growing = std::clamp(window - c, 0.0, q);  // those that still see all
  return growing * c + growing * (growing + 1) / 2 + (q - growing) * window;
}
double all_pairs(double q, double c) { return q * c + q * (q + 1) / 2; }
}  // namespace

RooflinePrices::RooflinePrices(const HardwareSpec& hardware, const Layout& layout, const RooflineEfficiency& e)
    : hardware_(hardware),
      e_(e),
      tensor_(hardware, layout.tensor, 1, e.links),
      expert_(hardware, layout.expert > 1 ? layout.expert : 1, 1, e.links),
      stages_(hardware, layout.pipeline, layout.tensor, e.links) {}

OperatorCost RooflinePrices::gemm(const GemmWork& work) const {
  const bool eight = work.eight_bit && hardware_.fp8_flop_per_s > 0;
  const double peak = (eight ? hardware_.fp8_flop_per_s : hardware_.bf16_flop_per_s) * e_.gemm_flops;
  const double compute = work.flops() * (1e9 / peak);
  const double traffic = work.bytes() * (1e9 / (hardware_.memory_bytes_per_s * e_.gemm_bytes));
  const Bound bound = e_.kernel_ns >= std::max(compute, traffic) ? Bound::fixed
                      : compute > traffic                        ? Bound::compute
                                                                 : Bound::memory;
  return {std::max(compute, traffic) + e_.kernel_ns, bound};
}

OperatorCost RooflinePrices::elementwise(double bytes, Mover) const {
  const double ns = bytes * (1e9 / (hardware_.memory_bytes_per_s * e_.elementwise_bytes));
  return {ns + e_.kernel_ns, e_.kernel_ns >= ns ? Bound::fixed : Bound::memory};
}

OperatorCost RooflinePrices::collective(Collective kind, double bytes, Group group) const {
  return {(group == Group::tensor ? tensor_ : expert_).ns(kind, bytes), Bound::link};
}

OperatorCost RooflinePrices::send(double bytes) const { return {stages_.send_ns(bytes), Bound::link}; }

OperatorCost RooflinePrices::attention_kernel() const { return {e_.attention_ns, Bound::fixed}; }

DecodeAttention RooflinePrices::decode_attention(const AttentionWork& work) const {
  DecodeAttention d;
  const double read = work.kv_bytes_per_token * 1e9 / (hardware_.memory_bytes_per_s * e_.attention_bytes);
  const double compute = work.decode_flops_per_kv_token * 1e9 / (hardware_.bf16_flop_per_s * e_.prefill_flops);
  const double per_token = std::max(read, compute);
  const bool windowed = work.window > 0 && work.max_context > 2 * work.window;
  d.s0 = windowed ? per_token * (1 - work.window_share) : per_token;
  d.c0_per_seq = windowed ? per_token * work.window_share * static_cast<double>(work.window) : 0;
  d.c1_per_seq = static_cast<double>(work.layers) * e_.attention_seq_ns;
  return d;
}

PrefillAttention RooflinePrices::prefill_attention(const AttentionWork& work) const {
  PrefillAttention p;
  p.ns_per_pair = work.prefill_flops_per_pair * 1e9 / (hardware_.bf16_flop_per_s * e_.prefill_flops);
  p.ns_per_kv_token = work.kv_bytes_per_token * 1e9 / (hardware_.memory_bytes_per_s * e_.attention_bytes);
  if (work.window == 0 || work.max_context <= work.window) return p;
  // A window as a utilisation above 1: pairs of the whole context over those computed.
  const int top = static_cast<int>(std::ceil(std::log2(static_cast<double>(work.max_context))));
  for (int i = 0; i <= top; ++i) p.log2_q.push_back(i);
  p.log2_kv = p.log2_q;
  const auto window = static_cast<double>(work.window);
  for (const double lq : p.log2_q)
    for (const double lkv : p.log2_kv) {
      const double q = std::exp2(lq), c = std::max(0.0, std::exp2(lkv) - q);
      const double whole = all_pairs(q, c);
      p.utilisation.push_back(whole /
                              ((1 - work.window_share) * whole + work.window_share * window_pairs(q, c, window)));
    }
  p.ns_per_kv_token *= 1 - work.window_share;  // the floor under short chunks: windows hardly read
  return p;
}

OperatorCost RooflinePrices::host() const { return {e_.step_ns, Bound::fixed}; }

std::string RooflinePrices::link_source() const {
  std::string links;
  for (const auto* group : {&tensor_, &expert_, &stages_})
    if (group->gpus() > 1 && links.empty()) links = group->text();
  return links.empty() ? "no links" : fmt::format("alpha-beta from the sheet over {}, uncalibrated", links);
}

std::optional<std::string> link_problem(const HardwareSpec& hardware, const Layout& layout) {
  const int gpus = layout.gpus() * layout.data;
  const auto why = Topology(hardware, gpus).missing_link(0, gpus);
  return why.empty() ? std::nullopt : std::optional(why);
}

StepCost compile_roofline(const ModelSpec& model, const HardwareSpec& hardware, const Layout& layout,
                          std::int64_t max_batched_tokens, std::int64_t max_context,
                          const RooflineEfficiency& efficiency) {
  return compile_step(OperatorGraph(model, layout, max_context), RooflinePrices(hardware, layout, efficiency),
                      max_batched_tokens);
}

StepCost compile_roofline(const ModelSpec& model, const HardwareSpec& hardware, int tensor,
                          std::int64_t max_batched_tokens, const RooflineEfficiency& efficiency) {
  return compile_roofline(model, hardware, Layout{tensor, 1, 1, 1}, max_batched_tokens, 0, efficiency);
}

std::vector<OperatorPrice> roofline_operators(const ModelSpec& model, const HardwareSpec& hardware, int tensor,
                                              const StepShape& shape, const RooflineEfficiency& efficiency) {
  const Layout layout{tensor, 1, 1, 1};
  auto bill = bill_of_step(OperatorGraph(model, layout), RooflinePrices(hardware, layout, efficiency), shape);
  for (auto& line : bill)  // the only line that comes priced, without its work
    if (line.name == "prefill attention")
      line.flops = shape.prefill_attention_ns / 1e9 * hardware.bf16_flop_per_s * efficiency.prefill_flops;
  return bill;
}
}  // namespace stowage
