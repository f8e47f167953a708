// The operator graph as Graphviz reads it.
#include <fmt/format.h>

#include "models/cost/operator_graph.hpp"

namespace stowage {
namespace {
std::string_view colour_of(Stream stream) {
  switch (stream) {
    case Stream::compute:
      return "lightsteelblue";
    case Stream::communication:
      return "navajowhite";
    case Stream::copy:
      return "honeydew";
    case Stream::host:
      return "lavender";
  }
  return "white";
}
}  // namespace

std::string graphviz(const OperatorGraph& graph, const OperatorPrices& prices, const StepRows& rows,
                     const std::string& title) {
  std::string quoted;
  for (const char c : title) quoted += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  std::string out = fmt::format("digraph step {{\n  label=\"{}\";\n  node [shape=box, style=filled];\n", quoted);
  std::string before;
  for (std::size_t s = 0; s < graph.segments().size(); ++s) {
    const auto& segment = graph.segments()[s];
    const auto operators = graph.walk(segment, prices, rows);
    out += fmt::format("  subgraph cluster_{} {{\n    label=\"{} x {}\";\n", s, segment.count, segment.name);
    for (const auto v : segment.order) {
      const auto& op = segment.graph[v];
      out += fmt::format("    s{}_{} [label=\"{}\\n{:.1f} us, {}\", fillcolor={}{}];\n", s, v, op.name,
                         operators[v].cost.ns / 1e3, bound_name(operators[v].cost.bound), colour_of(op.stream),
                         operators[v].critical ? ", penwidth=2" : "");
    }
    for (auto [it, end] = boost::edges(segment.graph); it != end; ++it)
      out += fmt::format("    s{0}_{1} -> s{0}_{2};\n", s, boost::source(*it, segment.graph),
                         boost::target(*it, segment.graph));
    out += "  }\n";
    const std::string first = fmt::format("s{}_{}", s, segment.order.front());
    if (!before.empty()) out += fmt::format("  {} -> {};\n", before, first);
    before = fmt::format("s{}_{}", s, segment.order.back());
  }
  return out + "}\n";
}
}  // namespace stowage
