#pragma once
// One step of a model on its layout as a graph: nodes are operators on four streams, edges what must be done before.
// A stream does its operators in order; what lies on different streams overlaps. Layers repeat, and a layer begins and
// ends in one operator, so the critical path of a step is the sum of its segments' paths: embedding, dense layers,
// layers of experts, head. Attention lies on every path through a layer, alone on it, so its price, which depends on
// contexts, is added to the path of the rest (models/cost/step_cost.hpp).
//
// Experts: M tokens a step touch E (1 - (1 - k / E)^M) of E experts, taken as evenly spread over GPUs that hold whole
// ones; the other ranks of a data-parallel group are taken to carry as many tokens. Latent attention is absorbed:
// queries and outputs go through the up-projections, the cache is read as it is.
#include <boost/graph/adjacency_list.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "models/cost/operator_prices.hpp"
#include "models/llm/model.hpp"

namespace stowage {

enum class Stream : std::uint8_t { compute, communication, copy, host };
[[nodiscard]] std::string_view stream_name(Stream stream);

/// What an operator's time is spent on, for naming the bottleneck of a step. `mapping` is the memory manager's.
enum class Resource : std::uint8_t { weights, kv, compute, activations, collective, launch, host, mapping };
[[nodiscard]] std::string_view resource_name(Resource resource);

struct Operator {
  enum class Kind : std::uint8_t { gemm, elementwise, collective, attention };
  std::string name;
  Kind kind = Kind::elementwise;
  Stream stream = Stream::compute;
  bool sampled = false;       // its rows are the sampled tokens, not all
  bool routed = false;        // its rows are the tokens sent to experts on this GPU; gemm: experts' matrices
  std::int64_t k = 0, n = 0;  // gemm
  double bytes_per_weight = 2;
  bool eight_bit = false;
  Mover mover = Mover::other;
  double bytes_per_row = 0;  // elementwise: read and written; collective: of the message
  Collective collective = Collective::all_reduce;
  Group group = Group::tensor;
};

using StepGraph = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, Operator>;

/// A stretch of the step: `graph` with one first and one last operator, as often as `count` says.
struct Segment {
  std::string name;
  std::int64_t count = 0;
  StepGraph graph;
  std::vector<StepGraph::vertex_descriptor> order;  // topological
};

/// Rows of a step, or of a micro-batch, and what the step makes of its operators.
struct StepRows {
  double tokens = 0, sampled = 0;
  StepTerms terms = {};
};

/// One operator of one segment in a step.
struct PricedOperator {
  OperatorCost cost;
  double flops = 0, bytes = 0;
  double start_ns = 0;    // in its segment
  bool critical = false;  // on the segment's critical path
};

class OperatorGraph {
 public:
  /// Call layout_problem() first. `max_context`: the longest request the engine takes (0: the model's positions).
  OperatorGraph(const ModelSpec& model, const Layout& layout, std::int64_t max_context = 0);

  /// embedding, dense layers, expert layers, head: those there are.
  [[nodiscard]] const std::vector<Segment>& segments() const { return segments_; }
  [[nodiscard]] const AttentionWork& attention() const { return attention_; }
  [[nodiscard]] const Layout& layout() const { return layout_; }
  /// How often each segment occurs on a pipeline stage.
  [[nodiscard]] const std::vector<std::int64_t>& stage(int stage) const {
    return stages_.at(static_cast<std::size_t>(stage));
  }
  /// Layers of the stage, of all layers: its share of attention.
  [[nodiscard]] double attention_share(int stage) const { return shares_.at(static_cast<std::size_t>(stage)); }
  /// Whether prices depend on the tokens themselves, not only on the rows that kernels run at.
  [[nodiscard]] bool routed() const { return experts_ > 0; }
  /// What a stage hands to the next, a token: hidden state and residual.
  [[nodiscard]] double send_bytes_per_token() const { return send_bytes_per_token_; }

  /// Every operator of a segment, in its order, with its earliest start; critical ones form the longest path.
  [[nodiscard]] std::vector<PricedOperator> walk(const Segment& segment, const OperatorPrices& prices,
                                                 const StepRows& rows) const;
  /// The longest path through a segment, attention's context-dependent part aside.
  [[nodiscard]] double path_ns(const Segment& segment, const OperatorPrices& prices, const StepRows& rows) const;

 private:
  void add_embedding(const ModelSpec& m);
  void add_layers(const ModelSpec& m, bool dense);
  void add_head(const ModelSpec& m);
  [[nodiscard]] PricedOperator price(const Operator& op, const OperatorPrices& prices, const StepRows& rows) const;
  [[nodiscard]] double touched_experts(double tokens) const;

  Layout layout_;
  double element_ = 2;
  double experts_ = 0, experts_per_token_ = 0;
  std::vector<Segment> segments_;
  std::vector<std::vector<std::int64_t>> stages_;
  std::vector<double> shares_;
  AttentionWork attention_;
  double send_bytes_per_token_ = 0;
};

/// The segments as Graphviz, prices of a step of `rows` in the nodes, critical ones in bold.
[[nodiscard]] std::string graphviz(const OperatorGraph& graph, const OperatorPrices& prices, const StepRows& rows,
                                   const std::string& title);
}  // namespace stowage
