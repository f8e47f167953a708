#include "models/cost/operator_graph.hpp"

#include <algorithm>
#include <array>
#include <boost/graph/topological_sort.hpp>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error.hpp"

namespace stowage {
namespace {
using Vertex = StepGraph::vertex_descriptor;

/// Adds operators to a segment: each waits for those named, and for the one before it on its stream.
class Builder {
 public:
  Builder(const ModelSpec& m, std::int64_t tensor)
      : m_(m), t_(tensor), element_(static_cast<double>(dtype_bytes(m.dtype))) {}

  Vertex add(Operator op, const std::vector<Vertex>& after = {}) {
    const auto stream = static_cast<std::size_t>(op.stream);
    const Vertex v = boost::add_vertex(std::move(op), graph_);
    if (last_[stream]) boost::add_edge(*last_[stream], v, graph_);
    for (const Vertex u : after)
      if (u != last_[stream]) boost::add_edge(u, v, graph_);
    last_[stream] = v;
    return v;
  }
  /// Matrices of a layer; those outside layers are 16-bit.
  Vertex gemm(std::string name, std::int64_t k, std::int64_t n, const std::vector<Vertex>& after = {}) {
    Operator op{std::move(name), Operator::Kind::gemm};
    op.k = k;
    op.n = n;
    op.bytes_per_weight = m_.bytes_per_weight();
    op.eight_bit = m_.quant == Quant::fp8 || m_.quant == Quant::fp8_block;
    return add(std::move(op), after);
  }
  Vertex experts(std::string name, std::int64_t k, std::int64_t n, const std::vector<Vertex>& after = {}) {
    Operator op{std::move(name), Operator::Kind::gemm};
    op.routed = true;
    op.k = k;
    op.n = n;
    op.bytes_per_weight = m_.bytes_per_expert_weight();
    op.eight_bit = m_.quant == Quant::fp8 || m_.quant == Quant::fp8_block;
    return add(std::move(op), after);
  }
  Vertex elementwise(std::string name, double elements_per_row, bool routed = false,
                     const std::vector<Vertex>& after = {}, Mover mover = Mover::other) {
    Operator op{std::move(name)};
    op.routed = routed;
    op.mover = mover;
    op.bytes_per_row = elements_per_row * element_;
    return add(std::move(op), after);
  }
  Vertex collective(std::string name, Collective kind, Group group, double elements_per_row,
                    const std::vector<Vertex>& after) {
    Operator op{std::move(name), Operator::Kind::collective, Stream::communication};
    op.collective = kind;
    op.group = group;
    op.bytes_per_row = elements_per_row * element_;
    return add(std::move(op), after);
  }
  /// The all-reduce after a row-parallel matrix; the next operator waits for it.
  void all_reduce(Vertex after) {
    if (t_ > 1) pending_ = collective("all-reduce", Collective::all_reduce, Group::tensor, hidden(), {after});
  }
  Vertex norm() {  // fused with the residual: two in, two out
    const Vertex v = elementwise("norms", 4 * hidden(), false, pending(), Mover::norm);
    return v;
  }
  [[nodiscard]] std::vector<Vertex> pending() {
    std::vector<Vertex> out;
    if (pending_) out.push_back(*std::exchange(pending_, std::nullopt));
    return out;
  }
  [[nodiscard]] double hidden() const { return static_cast<double>(m_.hidden); }
  [[nodiscard]] double element() const { return element_; }

  Segment finish(std::string name, std::int64_t count) {
    Segment s{std::move(name), count, std::move(graph_), {}};
    boost::topological_sort(s.graph, std::back_inserter(s.order));
    std::reverse(s.order.begin(), s.order.end());
    return s;
  }

 private:
  const ModelSpec& m_;
  std::int64_t t_;
  double element_;
  StepGraph graph_;
  std::array<std::optional<Vertex>, 4> last_;
  std::optional<Vertex> pending_;
};

void add_attention(Builder& b, const ModelSpec& m, std::int64_t t) {
  const std::int64_t heads = m.heads / t;
  const auto kv_element = static_cast<double>(dtype_bytes(m.kv_dtype)) / b.element();
  std::int64_t out_width = heads * m.head_dim;
  double moved = 0, kept = 0;  // elements rotated or normed in place, and of the cache, a row
  if (m.latent()) {
    const std::int64_t qk = m.nope_dim + m.rope_dim;
    if (m.q_rank > 0) {
      b.gemm("query down", m.hidden, m.q_rank);
      b.gemm("query up", m.q_rank, heads * qk);
    } else {
      b.gemm("query", m.hidden, heads * qk);
    }
    b.gemm("latent down", m.hidden, m.kv_rank + m.rope_dim);
    b.gemm("latent up", m.kv_rank, heads * (m.nope_dim + m.v_dim));
    out_width = heads * m.v_dim;
    kept = static_cast<double>(m.kv_rank + m.rope_dim);
    moved = 2 * static_cast<double>(heads * qk) + 2 * kept;
  } else {
    const std::int64_t kv = m.kv_heads_per_gpu(static_cast<int>(t)) * m.head_dim;
    b.gemm("qkv", m.hidden, out_width + 2 * kv);
    // In place on q and k (rotated, normed), then k and v copied to the cache: read and written once each.
    kept = static_cast<double>(2 * kv);
    moved = static_cast<double>(2 * out_width + 4 * kv);
  }
  b.elementwise("position and append", moved + kept * kv_element, false, {}, Mover::rotate);
  b.add({"attention kernels", Operator::Kind::attention});
  b.all_reduce(b.gemm("attention output", out_width, m.hidden));
}

void add_mlp(Builder& b, const ModelSpec& m, std::int64_t t) {
  const std::int64_t width = m.intermediate / t, ups = m.mlp == Mlp::gated ? 2 : 1;
  b.gemm(m.mlp == Mlp::gated ? "gate and up" : "up", m.hidden, ups * width);
  b.elementwise("activation", static_cast<double>((ups + 1) * width), false, {}, Mover::activate);
  b.all_reduce(b.gemm("down", width, m.hidden));
}

void add_experts(Builder& b, const ModelSpec& m, const Layout& l) {
  const std::int64_t ups = m.mlp == Mlp::gated ? 2 : 1;
  const std::int64_t width = l.expert > 1 ? m.expert_intermediate : m.expert_intermediate / l.tensor;
  const std::int64_t shared = m.shared_experts * m.expert_intermediate / l.tensor;
  const double k = static_cast<double>(m.experts_per_token);
  const bool exchange = l.expert > 1 && l.data > 1;
  Operator router{"router", Operator::Kind::gemm};
  router.k = m.hidden;
  router.n = m.experts;
  b.add(std::move(router));
  // Choosing, and copying each token's row to its experts' batches.
  const Vertex routing = b.elementwise("routing", static_cast<double>(2 * m.experts) + 2 * k * b.hidden());
  std::vector<Vertex> ready;
  // Of the tensor group's copies of a token, each GPU sends its share.
  const double sent = k * b.hidden() / l.tensor;
  if (exchange) ready = {b.collective("dispatch", Collective::all_to_all, Group::expert, sent, {routing})};
  if (shared > 0) {  // while tokens travel
    b.gemm("shared gate and up", m.hidden, ups * shared);
    b.elementwise("shared activation", static_cast<double>((ups + 1) * shared), false, {}, Mover::activate);
    b.gemm("shared down", shared, m.hidden);
  }
  b.experts("experts gate and up", m.hidden, ups * width, ready);
  b.elementwise("experts activation", static_cast<double>((ups + 1) * width), true, {}, Mover::activate);
  const Vertex down = b.experts("experts down", width, m.hidden);
  ready.clear();
  if (exchange) ready = {b.collective("combine", Collective::all_to_all, Group::expert, sent, {down})};
  b.all_reduce(b.elementwise("weighted sum", (k + 1) * b.hidden(), false, ready));
}
}  // namespace

std::string_view stream_name(Stream stream) {
  constexpr std::array<std::string_view, 4> names = {"compute", "communication", "copy", "host"};
  return names.at(static_cast<std::size_t>(stream));
}

std::string_view resource_name(Resource resource) {
  constexpr std::array<std::string_view, 8> names = {"weights bandwidth", "KV bandwidth", "compute", "activations",
                                                     "collective",        "launch",       "host",    "mapping"};
  return names.at(static_cast<std::size_t>(resource));
}

std::string_view bound_name(Bound bound) {
  constexpr std::array<std::string_view, 4> names = {"compute", "memory", "link", "fixed"};
  return names.at(static_cast<std::size_t>(bound));
}

OperatorGraph::OperatorGraph(const ModelSpec& m, const Layout& layout, std::int64_t max_context)
    : layout_(layout),
      element_(static_cast<double>(dtype_bytes(m.dtype))),
      experts_(static_cast<double>(m.experts)),
      experts_per_token_(static_cast<double>(m.experts_per_token)) {
  STOWAGE_ASSERT(!layout_problem(m, layout));
  add_embedding(m);
  if (m.layers > m.moe_layers()) add_layers(m, true);
  if (m.moe()) add_layers(m, false);
  add_head(m);
  const auto shares = pipeline_layers(m.layers, layout.pipeline);
  std::int64_t from = 0;
  for (int s = 0; s < layout.pipeline; ++s) {
    const std::int64_t to = from + shares[static_cast<std::size_t>(s)];
    const std::int64_t first_moe = m.moe() ? std::clamp(m.dense_layers, from, to) : to;
    std::vector<std::int64_t> counts = {s == 0 ? 1 : 0};
    if (m.layers > m.moe_layers()) counts.push_back(first_moe - from);
    if (m.moe()) counts.push_back(to - first_moe);
    counts.push_back(s + 1 == layout.pipeline ? 1 : 0);
    stages_.push_back(std::move(counts));
    shares_.push_back(static_cast<double>(to - from) / static_cast<double>(m.layers));
    from = to;
  }
  const auto layers = static_cast<double>(m.layers);
  const auto heads = static_cast<double>(m.heads / layout.tensor);
  attention_.layers = m.layers;
  attention_.kv_bytes_per_token = static_cast<double>(m.kv_bytes_per_token_per_gpu(layout.tensor).count());
  // Two products a query-key pair, 2 flop a multiply-add: 4 x heads x head_dim; absorbed: 2 x heads x (2 rank + rope).
  const double decode =
      m.latent() ? 2.0 * static_cast<double>(2 * m.kv_rank + m.rope_dim) : 4.0 * static_cast<double>(m.head_dim);
  const double prefill = m.latent() ? 2.0 * static_cast<double>(m.nope_dim + m.rope_dim + m.v_dim) : decode;
  attention_.decode_flops_per_kv_token = decode * heads * layers;
  attention_.prefill_flops_per_pair = prefill * heads * layers;
  attention_.window_share = static_cast<double>(m.window_layers) / layers;
  attention_.window = m.window;
  attention_.max_context = max_context > 0 ? max_context : m.max_positions;
  send_bytes_per_token_ = 2 * static_cast<double>(m.hidden) * element_;
}

void OperatorGraph::add_embedding(const ModelSpec& m) {
  Builder b(m, layout_.tensor);
  b.elementwise("embedding", 2 * b.hidden(), false, {}, Mover::norm);
  segments_.push_back(b.finish("embedding", 1));
}

void OperatorGraph::add_layers(const ModelSpec& m, bool dense) {
  Builder b(m, layout_.tensor);
  b.norm();
  add_attention(b, m, layout_.tensor);
  if (m.sandwich_norms) b.norm();
  b.norm();
  if (dense)
    add_mlp(b, m, layout_.tensor);
  else
    add_experts(b, m, layout_);
  if (m.sandwich_norms) b.norm();
  const std::int64_t count = dense ? m.layers - m.moe_layers() : m.moe_layers();
  segments_.push_back(b.finish(m.moe() ? (dense ? "dense layer" : "expert layer") : "layer", count));
}

void OperatorGraph::add_head(const ModelSpec& m) {
  Builder b(m, layout_.tensor);
  const auto sampled = [&](Operator op) {
    op.sampled = true;
    b.add(std::move(op));
  };
  b.elementwise("last norm", 4 * b.hidden(), false, {}, Mover::norm);  // of all rows: only then some are picked
  Operator pick{"rows to sample"};
  pick.mover = Mover::norm;
  pick.bytes_per_row = 2 * b.hidden() * element_;
  sampled(pick);
  Operator head{"head", Operator::Kind::gemm};
  head.k = m.hidden;
  head.n = (m.vocab + layout_.tensor - 1) / layout_.tensor;
  sampled(head);
  // Logits read, copied to float32 and reduced: 2 + 4 + 4 bytes of the whole vocabulary, gathered on one GPU.
  Operator sampler{"sampler"};
  sampler.mover = Mover::sample;
  sampler.bytes_per_row = static_cast<double>(m.vocab) * (element_ + 8);
  sampled(sampler);
  segments_.push_back(b.finish("head", 1));
}

double OperatorGraph::touched_experts(double tokens) const {
  const double all = experts_ * (1 - std::pow(1 - experts_per_token_ / experts_, tokens));
  return all / layout_.expert;
}

PricedOperator OperatorGraph::price(const Operator& op, const OperatorPrices& prices, const StepRows& rows) const {
  const double tokens = op.routed && layout_.expert > 1 ? rows.tokens * layout_.data : rows.tokens;
  const double n =
      op.routed ? tokens * experts_per_token_ / layout_.expert : prices.padded(op.sampled ? rows.sampled : rows.tokens);
  PricedOperator out;
  switch (op.kind) {
    case Operator::Kind::gemm: {
      GemmWork work{n, op.k, op.n, 1, op.bytes_per_weight, element_, op.eight_bit};
      if (op.routed) work.weights = touched_experts(tokens);
      out.cost = prices.gemm(work);
      out.flops = work.flops();
      out.bytes = work.bytes();
      break;
    }
    case Operator::Kind::elementwise:
      out.bytes = op.bytes_per_row * n;
      out.cost = prices.elementwise(out.bytes, op.mover);
      break;
    case Operator::Kind::collective:
      out.bytes = op.bytes_per_row * n;
      out.cost = prices.collective(op.collective, out.bytes, op.group);
      break;
    case Operator::Kind::attention:
      out.cost = prices.attention_kernel();
      break;
  }
  if (out.cost.measured) out.cost.ns = (out.cost.ns + rows.terms.launch_ns) * rows.terms.chain;
  return out;
}

std::vector<PricedOperator> OperatorGraph::walk(const Segment& segment, const OperatorPrices& prices,
                                                const StepRows& rows) const {
  const auto& g = segment.graph;
  std::vector<PricedOperator> out(boost::num_vertices(g));
  const auto end_of = [&](Vertex v) { return out[v].start_ns + out[v].cost.ns; };
  Vertex last = segment.order.back();
  for (const Vertex v : segment.order) {
    PricedOperator p = price(g[v], prices, rows);
    for (auto [it, end] = boost::in_edges(v, g); it != end; ++it)
      p.start_ns = std::max(p.start_ns, end_of(boost::source(*it, g)));
    out[v] = p;
    if (end_of(v) > end_of(last)) last = v;
  }
  for (bool more = true; more;) {  // back along what each waited for
    out[last].critical = true;
    more = false;
    for (auto [it, end] = boost::in_edges(last, g); it != end; ++it) {
      const Vertex before = boost::source(*it, g);
      if (end_of(before) < out[last].start_ns) continue;
      last = before;
      more = true;
      break;
    }
  }
  return out;
}

double OperatorGraph::path_ns(const Segment& segment, const OperatorPrices& prices, const StepRows& rows) const {
  const auto& g = segment.graph;
  std::array<double, 64> ends{};  // a layer has at most some twenty operators
  STOWAGE_ASSERT(boost::num_vertices(g) <= ends.size());
  double longest = 0;
  for (const Vertex v : segment.order) {
    double start = 0;
    for (auto [it, end] = boost::in_edges(v, g); it != end; ++it) start = std::max(start, ends[boost::source(*it, g)]);
    ends[v] = start + price(g[v], prices, rows).cost.ns;
    longest = std::max(longest, ends[v]);
  }
  return longest;
}
}  // namespace stowage
