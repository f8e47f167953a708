#pragma once
// What collectives and point-to-point transfers cost over a topology: alpha-beta from the spec sheet, the alphas and
// shares of the peak fitted to NCCL 2.29's all-reduce on 2, 4 and 8 H100 and H200 with NVLink (AIConfigurator's tables,
// 512 B to 1 GiB): 7.8 % mean error, 21 % at the 95th percentile, 41 % at worst. Vidur's older tables: H100 8 to 9 %
// above 1 MB; DGX A100 30 % too fast; boxes with pairwise NVLink over PCIe not described. Other collectives, PCIe
// and networks between hosts take the same alphas: uncalibrated.
#include <cstdint>
#include <memory>

#include "models/links/topology.hpp"

namespace stowage {

enum class Collective : std::uint8_t { all_reduce, all_gather, all_to_all };

struct LinkEfficiency {
  double small_share = 0.35;  // of the link, by the protocol for small messages
  double bulk_share = 0.75;   // by the one for large ones
  double small_ns = 3'000;    // fixed part of the first: small_ns + n x small_ns_per_gpu
  double small_ns_per_gpu = 1'800;
  double bulk_ns = 25'000;  // of the second
  double send_ns = 5'000;   // one transfer between two GPUs
};

/// One group of `gpus` GPUs, those of a host next to each other.
class LinkCost {
 public:
  /// GPU i of the group is GPU i x `stride` of the topology. Throws InputError where no link joins two of its hosts.
  LinkCost(const HardwareSpec& hardware, int gpus, int stride = 1, const LinkEfficiency& efficiency = {});

  [[nodiscard]] int gpus() const { return gpus_; }
  /// ns for a message of `bytes` a GPU: what is reduced; what each GPU holds after gathering; what each sends away.
  ///   on the wire: all-reduce 2 (n - 1) / n, all-gather and all-to-all (n - 1) / n of it (a ring; pairwise).
  ///   over h hosts of g GPUs: within the host as above, then over h hosts with 1 / g of the bytes on each GPU's own
  ///   share of the network (NCCL's rails); all-to-all: 1 / h of the bytes within, (h - 1) / h over the network.
  [[nodiscard]] double ns(Collective kind, double bytes) const;
  /// From a GPU to the next of the group.
  [[nodiscard]] double send_ns(double bytes) const;
  /// The bytes a GPU sends for it.
  [[nodiscard]] double wire_bytes(Collective kind, double bytes) const;
  /// "NVLink", "PCIe", "NVLink, network between hosts"
  [[nodiscard]] std::string text() const;

 private:
  struct Stage {
    int gpus = 1;
    double bytes_per_s = 0;
    LinkKind kind = LinkKind::nvlink;
  };
  [[nodiscard]] double stage_ns(const Stage& stage, Collective kind, double bytes) const;

  LinkEfficiency efficiency_;
  int gpus_ = 1;
  Stage within_, between_;  // hosts: between_.gpus
  double send_bytes_per_s_ = 0;
};
}  // namespace stowage
