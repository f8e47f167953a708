// One list of operators prices both the compiled table and the bill, so the two cannot part.
#include "models/cost/roofline.hpp"

#include <algorithm>
#include <string_view>

#include "base/error.hpp"

namespace stowage {
namespace {
constexpr std::int64_t mixed_head_rows = 256;

/// An operator whose work is affine in its rows (tokens, or sampled tokens for the head and the sampler).
struct Operator {
  std::string_view name;
  std::int64_t count = 0;  // times a step
  bool sampled_rows = false;
  double flops_per_row = 0, bytes = 0, bytes_per_row = 0;  // of one kernel
  double ns_per_flop = 0, ns_per_byte = 0, fixed_ns = 0;
  Bound traffic = Bound::memory;

  [[nodiscard]] double compute_ns(double rows) const { return flops_per_row * rows * ns_per_flop; }
  [[nodiscard]] double traffic_ns(double rows) const { return (bytes + bytes_per_row * rows) * ns_per_byte; }
  [[nodiscard]] double ns(double rows) const {
    return static_cast<double>(count) * (std::max(compute_ns(rows), traffic_ns(rows)) + fixed_ns);
  }
};

/// Everything about one replica that prices need, per GPU.
class Roofline {
 public:
  Roofline(const ModelSpec& model, const HardwareSpec& hardware, int tensor, const RooflineEfficiency& e)
      : element_(static_cast<double>(dtype_bytes(model.dtype))), hardware_(hardware), e_(e) {
    STOWAGE_ASSERT(!parallel_problem(model, tensor, 1));
    add_layer(model, tensor);
    add_ends(model, tensor);
    attention(model, tensor);
  }

  [[nodiscard]] double dense_ns(std::int64_t tokens, std::int64_t sampled) const {
    double ns = e_.step_ns;
    for (const auto& op : operators_) ns += op.ns(static_cast<double>(op.sampled_rows ? sampled : tokens));
    return ns;
  }
  [[nodiscard]] const std::vector<Operator>& operators() const { return operators_; }
  [[nodiscard]] const DecodeAttention& decode() const { return decode_; }
  [[nodiscard]] const PrefillAttention& prefill() const { return prefill_; }

 private:
  /// A product of rows x k by k x n.
  void gemm(std::string_view name, std::int64_t count, std::int64_t k, std::int64_t n, bool sampled = false) {
    const auto kd = static_cast<double>(k), nd = static_cast<double>(n);
    operators_.push_back({name, count, sampled, 2 * kd * nd, kd * nd * element_, (kd + nd) * element_,
                          1e9 / (hardware_.bf16_flop_per_s * e_.gemm_flops),
                          1e9 / (hardware_.memory_bytes_per_s * e_.gemm_bytes), e_.kernel_ns, Bound::memory});
  }
  /// Reads and writes `bytes_per_row`, arithmetic for nothing.
  void elementwise(std::string_view name, std::int64_t count, double bytes_per_row, bool sampled = false) {
    operators_.push_back({name, count, sampled, 0, 0, bytes_per_row, 0,
                          1e9 / (hardware_.memory_bytes_per_s * e_.elementwise_bytes), e_.kernel_ns, Bound::memory});
  }

  void add_layer(const ModelSpec& m, std::int64_t t) {
    const std::int64_t q = m.heads / t * m.head_dim;
    const std::int64_t kv = m.kv_heads_per_gpu(static_cast<int>(t)) * m.head_dim;
    const std::int64_t mlp = m.intermediate / t;
    const std::int64_t ups = m.mlp == Mlp::gated ? 2 : 1;
    const auto hidden = static_cast<double>(m.hidden);
    gemm("qkv", m.layers, m.hidden, q + 2 * kv);
    gemm("attention output", m.layers, q, m.hidden);
    gemm(m.mlp == Mlp::gated ? "gate and up" : "up", m.layers, m.hidden, ups * mlp);
    gemm("down", m.layers, mlp, m.hidden);
    elementwise("norms", 2 * m.layers, 4 * hidden * element_);  // fused with the residual: two in, two out
    // In place on q and k (rotated, normed), then k and v copied to the cache: read and written once each.
    const auto kv_element = static_cast<double>(dtype_bytes(m.kv_dtype));
    elementwise("position and append", m.layers,
                static_cast<double>(2 * q + 4 * kv) * element_ + static_cast<double>(2 * kv) * kv_element);
    elementwise("activation", m.layers, static_cast<double>((ups + 1) * mlp) * element_);
    if (t > 1) all_reduce(2 * m.layers, m.hidden, static_cast<double>(t));
  }
  void all_reduce(std::int64_t count, std::int64_t hidden, double t) {  // a ring moves 2 (t - 1) / t of the data
    operators_.push_back({"all-reduce", count, false, 0, 0, 2 * (t - 1) / t * static_cast<double>(hidden) * element_, 0,
                          1e9 / (hardware_.link_bytes_per_s() * e_.link_bytes), (t + 1) * e_.all_reduce_ns_per_gpu,
                          Bound::link});
  }

  void add_ends(const ModelSpec& m, std::int64_t t) {
    const std::int64_t share = (m.vocab + t - 1) / t;
    elementwise("embedding", 1, 2 * static_cast<double>(m.hidden) * element_);
    elementwise("last norm", 1, 2 * static_cast<double>(m.hidden) * element_, true);
    gemm("head", 1, m.hidden, share, true);
    // Logits read, copied to float32 and reduced: 2 + 4 + 4 bytes of the whole vocabulary, gathered on one GPU.
    elementwise("sampler", 1, static_cast<double>(m.vocab) * (element_ + 8), true);
  }

  /// Attention's kernel floor belongs to the dense part: one kernel a layer serves prefill and decode alike.
  void attention(const ModelSpec& m, std::int64_t t) {
    operators_.push_back({"attention kernels", m.layers, false, 0, 0, 0, 0, 0, e_.attention_ns, Bound::fixed});
    const auto layers = static_cast<double>(m.layers);
    const double kv_bytes = static_cast<double>(m.kv_bytes_per_token_per_gpu(static_cast<int>(t)).count());
    decode_.s0 = kv_bytes * 1e9 / (hardware_.memory_bytes_per_s * e_.attention_bytes);
    decode_.c1_per_seq = layers * e_.attention_seq_ns;
    // Two products a query-key pair, 2 flop a multiply-add: 4 x heads x head_dim.
    const std::int64_t width = m.heads / t * m.head_dim;
    const double flops_per_pair = 4 * static_cast<double>(width) * layers;
    prefill_.ns_per_pair = flops_per_pair * 1e9 / (hardware_.bf16_flop_per_s * e_.prefill_flops);
    prefill_.ns_per_kv_token = decode_.s0;
  }

  double element_;
  const HardwareSpec& hardware_;
  const RooflineEfficiency& e_;
  std::vector<Operator> operators_;
  DecodeAttention decode_;
  PrefillAttention prefill_;
};

Bound bound_of(const Operator& op, double rows) {
  const double compute = op.compute_ns(rows), traffic = op.traffic_ns(rows);
  if (op.fixed_ns >= std::max(compute, traffic)) return Bound::fixed;
  return compute > traffic ? Bound::compute : op.traffic;
}

std::int64_t sampled_rows(const StepShape& shape) {
  return shape.prefill_tokens == 0 ? shape.decode_seqs
                                   : std::min(shape.prefill_tokens + shape.decode_seqs, mixed_head_rows);
}
}  // namespace

std::string_view bound_name(Bound bound) {
  switch (bound) {
    case Bound::compute:
      return "compute";
    case Bound::memory:
      return "memory";
    case Bound::link:
      return "link";
    case Bound::fixed:
      return "fixed";
  }
  return "";
}

StepCost compile_roofline(const ModelSpec& model, const HardwareSpec& hardware, int tensor,
                          std::int64_t max_batched_tokens, const RooflineEfficiency& efficiency) {
  const Roofline roofline(model, hardware, tensor, efficiency);
  StepCost::Table table;
  const auto entries = static_cast<std::size_t>(max_batched_tokens) + 1;
  table.dense_ns.resize(entries);
  table.decode_dense_ns.resize(entries);
  for (std::int64_t m = 0; m <= max_batched_tokens; ++m) {
    const auto i = static_cast<std::size_t>(m);
    table.decode_dense_ns[i] = roofline.dense_ns(m, m);
    table.dense_ns[i] = m <= mixed_head_rows ? table.decode_dense_ns[i] : roofline.dense_ns(m, mixed_head_rows);
  }
  table.decode = roofline.decode();
  table.prefill = roofline.prefill();
  return StepCost(std::move(table));
}

std::vector<OperatorPrice> roofline_operators(const ModelSpec& model, const HardwareSpec& hardware, int tensor,
                                              const StepShape& shape, const RooflineEfficiency& efficiency) {
  const Roofline roofline(model, hardware, tensor, efficiency);
  std::vector<OperatorPrice> bill = {{"host", 1, 0, 0, efficiency.step_ns, Bound::fixed}};
  const auto tokens = static_cast<double>(shape.prefill_tokens + shape.decode_seqs);
  const auto sampled = static_cast<double>(sampled_rows(shape));
  for (const auto& op : roofline.operators()) {
    const double rows = op.sampled_rows ? sampled : tokens;
    const auto count = static_cast<double>(op.count);
    bill.push_back({std::string(op.name), op.count, count * op.flops_per_row * rows,
                    count * (op.bytes + op.bytes_per_row * rows), op.ns(rows), bound_of(op, rows)});
  }
  if (shape.decode_seqs > 0) {
    const auto& d = roofline.decode();
    const auto kv = static_cast<double>(shape.decode_kv_tokens);
    const double read_ns = d.s0 * kv, floor_ns = d.c1_per_seq * static_cast<double>(shape.decode_seqs);
    const double per_token = static_cast<double>(model.kv_bytes_per_token_per_gpu(tensor).count());
    const std::int64_t width = model.heads / tensor * model.head_dim * model.layers;
    const double flops = 4 * kv * static_cast<double>(width);
    bill.push_back({"decode attention", model.layers, flops, per_token * kv, std::max(read_ns, floor_ns),
                    read_ns > floor_ns ? Bound::memory : Bound::fixed});
  }
  if (shape.prefill_tokens > 0) {
    const double flops = shape.prefill_attention_ns / 1e9 * hardware.bf16_flop_per_s * efficiency.prefill_flops;
    bill.push_back({"prefill attention", model.layers, flops, 0, shape.prefill_attention_ns, Bound::compute});
  }
  return bill;
}
}  // namespace stowage
