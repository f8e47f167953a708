#pragma once
// The links between GPUs as a graph: GPUs, NVLink switches, hosts (PCIe roots) and the network between hosts. Edges
// have one direction's bandwidth. Routes take the fewest bytes' time (sum of 1 / bandwidth), then the fewest hops;
// flows that share an edge share it fairly (max-min).
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/hardware/hardware.hpp"

namespace stowage {

enum class LinkKind : std::uint8_t { nvlink, pcie, network };
[[nodiscard]] std::string_view link_kind_name(LinkKind kind);

struct LinkEdge {
  LinkKind kind = LinkKind::pcie;
  double bytes_per_s = 0;  // one direction
  std::string name;        // "gpu 0 - nvswitch 0"
};

class Topology {
 public:
  /// `gpus` GPUs in hosts of hardware.node_gpus: GPU - NVSwitch where the GPU has NVLink; GPU - host by PCIe; GPU - its
  /// own network card - fabric where hardware.network is given.
  Topology(const HardwareSpec& hardware, int gpus);
  ~Topology();
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;

  [[nodiscard]] int gpus() const { return gpus_; }
  [[nodiscard]] int host_of(int gpu) const { return gpu / node_gpus_; }
  [[nodiscard]] std::span<const LinkEdge> edges() const;
  /// Indices into edges(), from `from` to `to`; empty when there is no way.
  [[nodiscard]] std::vector<std::size_t> route(int from, int to) const;
  /// Why `gpus` GPUs from `first` on cannot all reach each other, naming the pair; "" when they can.
  [[nodiscard]] std::string missing_link(int first, int gpus) const;
  /// What each of the flows (from, to) gets when all run at once, in bytes/s: max-min fair over the edges, whose two
  /// directions are separate. A flow without a route gets 0.
  [[nodiscard]] std::vector<double> fair_rates(std::span<const std::pair<int, int>> flows) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  int gpus_ = 0, node_gpus_ = 1;
  std::string hardware_;
};
}  // namespace stowage
