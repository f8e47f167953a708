#include "models/links/topology.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/dijkstra_shortest_paths.hpp>
#include <limits>

#include "base/error.hpp"

namespace stowage {
namespace {
using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS, std::string,
                                    boost::property<boost::edge_index_t, std::size_t>>;
using Vertex = boost::graph_traits<Graph>::vertex_descriptor;
}  // namespace

struct Topology::Impl {
  Graph graph;
  std::vector<LinkEdge> edges;
  std::vector<Vertex> from;  // an end of each edge, to tell its directions apart
  std::vector<Vertex> gpus;

  void join(Vertex a, Vertex b, LinkKind kind, double bytes_per_s) {
    boost::add_edge(a, b, edges.size(), graph);
    edges.push_back({kind, bytes_per_s, fmt::format("{} - {}", graph[a], graph[b])});
    from.push_back(a);
  }

  /// (edge, is it taken from its `from` end) in order, or nothing.
  [[nodiscard]] std::vector<std::pair<std::size_t, bool>> path(Vertex source, Vertex target) const {
    const auto weight = [&](const auto& edge) {
      // A nanosecond a gigabyte and hop breaks ties between ways of equal bandwidth.
      return 1e9 / edges[boost::get(boost::edge_index, graph, edge)].bytes_per_s + 1e-6;
    };
    std::vector<double> weights(edges.size());
    for (auto [it, end] = boost::edges(graph); it != end; ++it)
      weights[boost::get(boost::edge_index, graph, *it)] = weight(*it);
    std::vector<Vertex> before(boost::num_vertices(graph));
    std::vector<double> cost(boost::num_vertices(graph));
    boost::dijkstra_shortest_paths(
        graph, source,
        boost::predecessor_map(before.data())
            .distance_map(cost.data())
            .weight_map(boost::make_iterator_property_map(weights.begin(), boost::get(boost::edge_index, graph))));
    if (cost[target] == std::numeric_limits<double>::max()) return {};
    std::vector<std::pair<std::size_t, bool>> out;
    for (Vertex v = target; v != source; v = before[v]) {
      const auto index = boost::get(boost::edge_index, graph, boost::edge(before[v], v, graph).first);
      out.emplace_back(index, from[index] == before[v]);
    }
    std::reverse(out.begin(), out.end());
    return out;
  }
};

std::string_view link_kind_name(LinkKind kind) {
  switch (kind) {
    case LinkKind::nvlink:
      return "NVLink";
    case LinkKind::pcie:
      return "PCIe";
    case LinkKind::network:
      return "network";
  }
  return "";
}

Topology::Topology(const HardwareSpec& hardware, int gpus)
    : impl_(std::make_unique<Impl>()),
      gpus_(gpus),
      node_gpus_(static_cast<int>(hardware.node_gpus)),
      hardware_(hardware.name) {
  STOWAGE_ASSERT(gpus > 0);
  Graph& g = impl_->graph;
  const int hosts = (gpus + node_gpus_ - 1) / node_gpus_;
  const Vertex fabric = boost::add_vertex("network", g);
  for (int host = 0; host < hosts; ++host) {
    const Vertex root = boost::add_vertex(fmt::format("host {}", host), g);
    const Vertex nvswitch = boost::add_vertex(fmt::format("nvswitch {}", host), g);
    for (int i = host * node_gpus_; i < std::min(gpus, (host + 1) * node_gpus_); ++i) {
      const Vertex gpu = boost::add_vertex(fmt::format("gpu {}", i), g);
      impl_->gpus.push_back(gpu);
      if (hardware.nvlink_bytes_per_s > 0)
        impl_->join(gpu, nvswitch, LinkKind::nvlink, hardware.nvlink_bytes_per_s / 2);
      impl_->join(gpu, root, LinkKind::pcie, hardware.pcie_bytes_per_s);
      if (hardware.network_bytes_per_s > 0)
        impl_->join(gpu, fabric, LinkKind::network, std::min(hardware.network_bytes_per_s, hardware.pcie_bytes_per_s));
    }
  }
}

Topology::~Topology() = default;

std::span<const LinkEdge> Topology::edges() const { return impl_->edges; }

std::vector<std::size_t> Topology::route(int from, int to) const {
  std::vector<std::size_t> out;
  for (const auto& [edge, forward] :
       impl_->path(impl_->gpus.at(static_cast<std::size_t>(from)), impl_->gpus.at(static_cast<std::size_t>(to))))
    out.push_back(edge);
  return out;
}

std::string Topology::missing_link(int first, int gpus) const {
  // Hosts differ only in their number: the first GPU of another one tells.
  int other = first;
  while (other < first + gpus && host_of(other) == host_of(first)) ++other;
  if (other == first + gpus || !route(first, other).empty()) return "";
  return fmt::format(
      "{} GPUs of {} span hosts of {}, and no link joins gpu {} and gpu {}; describe the hosts' network as 'network: "
      "50GB/s' (a GPU's share, one direction) in a hardware file, or use at most {} GPUs",
      gpus, hardware_, node_gpus_, first, other, node_gpus_);
}

std::vector<double> Topology::fair_rates(std::span<const std::pair<int, int>> flows) const {
  // Progressive filling: the edge with the smallest fair share fixes the flows through it, and so on.
  struct Direction {
    double left = 0;
    int open = 0;
  };
  std::vector<Direction> directions(2 * impl_->edges.size());
  for (std::size_t e = 0; e < impl_->edges.size(); ++e)
    directions[2 * e].left = directions[2 * e + 1].left = impl_->edges[e].bytes_per_s;
  std::vector<std::vector<std::size_t>> uses(flows.size());
  std::vector<double> rates(flows.size(), 0.0);
  for (std::size_t f = 0; f < flows.size(); ++f) {
    const auto [from, to] = flows[f];
    for (const auto& [edge, forward] :
         impl_->path(impl_->gpus.at(static_cast<std::size_t>(from)), impl_->gpus.at(static_cast<std::size_t>(to)))) {
      uses[f].push_back(2 * edge + (forward ? 0 : 1));
      ++directions[uses[f].back()].open;
    }
  }
  std::vector<bool> fixed(flows.size(), false);
  for (;;) {
    std::size_t tightest = directions.size();
    double share = std::numeric_limits<double>::max();
    for (std::size_t d = 0; d < directions.size(); ++d) {
      if (directions[d].open == 0 || directions[d].left / directions[d].open >= share) continue;
      share = directions[d].left / directions[d].open;
      tightest = d;
    }
    if (tightest == directions.size()) return rates;
    for (std::size_t f = 0; f < flows.size(); ++f) {
      if (fixed[f] || std::find(uses[f].begin(), uses[f].end(), tightest) == uses[f].end()) continue;
      fixed[f] = true;
      rates[f] = share;
      for (const auto d : uses[f]) {
        directions[d].left -= share;
        --directions[d].open;
      }
    }
  }
}
}  // namespace stowage
