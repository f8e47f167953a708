#include "models/cost/compile.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.hpp"

namespace stowage {
namespace {
/// Prices of a step's context-free part over the pipeline.
class Pipeline {
 public:
  Pipeline(const OperatorGraph& graph, const OperatorPrices& prices)
      : graph_(graph), prices_(prices), stages_(graph.layout().pipeline) {
    for (int s = 0; s < stages_; ++s) widest_ = std::max(widest_, graph.attention_share(s));
  }

  struct Split {
    double micro_batches = 1;
    StepRows rows;           // of one
    bool one_stage = false;  // the slowest stage decides, not the way through all
    int slowest = 0;
    double ns = 0;
  };
  [[nodiscard]] Split split(std::int64_t tokens, std::int64_t sampled, bool graph) const {
    Split out;
    out.micro_batches = static_cast<double>(std::clamp<std::int64_t>(tokens, 1, stages_));
    const double rows = static_cast<double>(tokens) / out.micro_batches;
    out.rows = {rows, static_cast<double>(sampled) / out.micro_batches, prices_.step(rows, graph)};
    const std::vector<double>& segment_ns = segments_ns(out.rows);
    double through = send_ns(out.rows), slowest = -1;
    for (int s = 0; s < stages_; ++s) {
      double ns = s == 0 ? out.rows.terms.host_ns : 0;
      const auto& counts = graph_.stage(s);
      for (std::size_t i = 0; i < counts.size(); ++i) ns += static_cast<double>(counts[i]) * segment_ns[i];
      through += ns;
      if (ns <= slowest) continue;
      slowest = ns;
      out.slowest = s;
    }
    out.one_stage = stages_ > 1 && out.micro_batches * slowest > through;
    out.ns = out.one_stage ? out.micro_batches * slowest : through;
    return out;
  }
  /// Handing a micro-batch on, over all stages.
  [[nodiscard]] double send_ns(const StepRows& rows) const {
    return stages_ == 1
               ? 0
               : static_cast<double>(stages_ - 1) * prices_.send(graph_.send_bytes_per_token() * rows.tokens).ns;
  }
  /// What of all layers' attention a step of `seqs` micro-batches waits for.
  [[nodiscard]] double attention_scale(std::int64_t seqs) const {
    return seqs >= stages_ ? widest_ : 1.0 / static_cast<double>(std::max<std::int64_t>(1, seqs));
  }
  [[nodiscard]] int stages() const { return stages_; }

 private:
  /// The paths of all segments. Steps of like padded rows take the same, and a table asks for one after the other.
  const std::vector<double>& segments_ns(const StepRows& rows) const {
    const std::array<double, 4> key = {prices_.padded(rows.tokens), prices_.padded(rows.sampled), rows.terms.chain,
                                       rows.terms.launch_ns};
    if (!paths_ns_.empty() && key == paths_key_ && !graph_.routed()) return paths_ns_;
    paths_key_ = key;
    paths_ns_.clear();
    for (const auto& segment : graph_.segments()) paths_ns_.push_back(graph_.path_ns(segment, prices_, rows));
    return paths_ns_;
  }

  const OperatorGraph& graph_;
  const OperatorPrices& prices_;
  int stages_;
  double widest_ = 0;
  mutable std::array<double, 4> paths_key_{};
  mutable std::vector<double> paths_ns_;
};

std::int64_t sampled_rows(const StepShape& shape, const OperatorPrices& prices) {
  return shape.prefill_tokens == 0 ? shape.decode_seqs
                                   : std::min(shape.prefill_tokens + shape.decode_seqs, prices.mixed_head_rows());
}

Resource resource_of(const Operator& op, Bound bound) {
  if (op.kind == Operator::Kind::collective) return Resource::collective;
  if (bound == Bound::fixed) return Resource::launch;
  if (bound == Bound::compute) return Resource::compute;
  return op.kind == Operator::Kind::gemm ? Resource::weights : Resource::activations;
}

OperatorPrice& line_of(std::vector<OperatorPrice>& bill, const Operator& op, const OperatorCost& cost) {
  for (auto& line : bill)
    if (line.name == op.name) return line;
  bill.push_back({op.name, 0, 0, 0, 0, cost.bound, resource_of(op, cost.bound), op.stream, 0, cost.measured});
  return bill.back();
}

void add_segment(std::vector<OperatorPrice>& bill, const OperatorGraph& graph, const Segment& segment,
                 const OperatorPrices& prices, const StepRows& rows, double times) {
  const auto operators = graph.walk(segment, prices, rows);
  for (std::size_t v = 0; v < operators.size(); ++v) {
    const auto& p = operators[v];
    auto& line = line_of(bill, segment.graph[v], p.cost);
    line.count += static_cast<std::int64_t>(times);
    line.flops += times * p.flops;
    line.bytes += times * p.bytes;
    (p.critical ? line.ns : line.hidden_ns) += times * p.cost.ns;
  }
}

void add_attention(std::vector<OperatorPrice>& bill, const OperatorGraph& graph, const OperatorPrices& prices,
                   const StepShape& shape, double scale) {
  const auto& work = graph.attention();
  if (shape.decode_seqs > 0) {
    const DecodeAttention d = prices.decode_attention(work);
    const auto kv = static_cast<double>(shape.decode_kv_tokens), b = static_cast<double>(shape.decode_seqs);
    const double first = d.c0 + d.c0_per_seq * b + d.s0 * kv, second = d.c1 + d.c1_per_seq * b + d.s1 * kv;
    const double flops = work.decode_flops_per_kv_token * kv, bytes = work.kv_bytes_per_token * kv;
    // Of the two lines the one that grows with what is read.
    const bool reads = d.s0 > 0 && first > second;
    bill.push_back({"decode attention", work.layers, flops, bytes, std::max(first, second) * scale,
                    reads ? Bound::memory : Bound::fixed, reads ? Resource::kv : Resource::launch, Stream::compute, 0,
                    false});
  }
  if (shape.prefill_tokens > 0)
    bill.push_back({"prefill attention", work.layers, 0, 0, shape.prefill_attention_ns, Bound::compute,
                    Resource::compute, Stream::compute, 0, false});
}
}  // namespace

StepCost compile_step(const OperatorGraph& graph, const OperatorPrices& prices, std::int64_t max_batched_tokens) {
  const Pipeline pipeline(graph, prices);
  StepCost::Table table;
  const auto entries = static_cast<std::size_t>(max_batched_tokens) + 1;
  table.dense_ns.resize(entries);
  table.decode_dense_ns.resize(entries);
  for (std::int64_t m = 0; m <= max_batched_tokens; ++m)
    table.decode_dense_ns[static_cast<std::size_t>(m)] = pipeline.split(m, m, true).ns;
  for (std::int64_t m = 0; m <= max_batched_tokens; ++m)
    table.dense_ns[static_cast<std::size_t>(m)] = pipeline.split(m, std::min(m, prices.mixed_head_rows()), false).ns;
  table.decode = prices.decode_attention(graph.attention());
  table.prefill = prices.prefill_attention(graph.attention());
  if (pipeline.stages() > 1) {
    table.decode_scale.resize(entries);
    for (std::size_t b = 0; b < entries; ++b)
      table.decode_scale[b] = pipeline.attention_scale(static_cast<std::int64_t>(b));
    const double scale = pipeline.attention_scale(pipeline.stages());
    table.prefill.ns_per_pair *= scale;
    table.prefill.ns_per_kv_token *= scale;
    table.prefill.fixed_ns *= scale;
  }
  return StepCost(std::move(table));
}

std::vector<OperatorPrice> bill_of_step(const OperatorGraph& graph, const OperatorPrices& prices,
                                        const StepShape& shape) {
  const Pipeline pipeline(graph, prices);
  const bool graph_step = shape.prefill_tokens == 0;
  const auto split = pipeline.split(shape.prefill_tokens + shape.decode_seqs, sampled_rows(shape, prices), graph_step);
  std::vector<OperatorPrice> bill;
  if (!split.one_stage || split.slowest == 0) {
    const double times = split.one_stage ? split.micro_batches : 1;
    bill.push_back({"host", static_cast<std::int64_t>(times), 0, 0, times * split.rows.terms.host_ns, Bound::fixed,
                    Resource::host, Stream::host, 0, false});
  }
  for (std::size_t i = 0; i < graph.segments().size(); ++i) {
    double times = 0;
    for (int s = 0; s < pipeline.stages(); ++s)
      if (!split.one_stage || s == split.slowest) times += static_cast<double>(graph.stage(s)[i]);
    if (split.one_stage) times *= split.micro_batches;
    if (times > 0) add_segment(bill, graph, graph.segments()[i], prices, split.rows, times);
  }
  if (!split.one_stage && pipeline.stages() > 1)
    bill.push_back({"send to the next stage", pipeline.stages() - 1, 0,
                    (pipeline.stages() - 1) * graph.send_bytes_per_token() * split.rows.tokens,
                    pipeline.send_ns(split.rows), Bound::link, Resource::collective, Stream::communication, 0, false});
  add_attention(bill, graph, prices, shape, pipeline.stages() == 1 ? 1.0 : pipeline.attention_scale(shape.decode_seqs));
  return bill;
}

std::vector<ResourceShare> resource_shares(const std::vector<OperatorPrice>& bill, double stall_ns) {
  std::vector<ResourceShare> out;
  double total = 0;
  const auto add = [&](Resource resource, double ns) {
    total += ns;
    for (auto& share : out)
      if (share.resource == resource) {
        share.ns += ns;
        return;
      }
    out.push_back({resource, ns, 0});
  };
  for (const auto& line : bill) add(line.resource, line.ns);
  if (stall_ns > 0) add(Resource::mapping, stall_ns);
  for (auto& share : out) share.share = total > 0 ? share.ns / total : 0;
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.ns > b.ns; });
  return out;
}
}  // namespace stowage
