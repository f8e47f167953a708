#include "models/links/collectives.hpp"

#include <algorithm>
#include <vector>

#include "base/error.hpp"

namespace stowage {
namespace {
double share_on_wire(Collective kind, int n) {
  const double part = static_cast<double>(n - 1) / static_cast<double>(n);
  return kind == Collective::all_reduce ? 2 * part : part;
}

/// What each flow of a ring over these GPUs gets, the slowest deciding.
double ring_rate(const Topology& topology, const std::vector<int>& gpus) {
  std::vector<std::pair<int, int>> flows;
  for (std::size_t i = 0; i < gpus.size(); ++i) flows.emplace_back(gpus[i], gpus[(i + 1) % gpus.size()]);
  const auto rates = topology.fair_rates(flows);
  return *std::min_element(rates.begin(), rates.end());
}
}  // namespace

LinkCost::LinkCost(const HardwareSpec& hardware, int gpus, int stride, const LinkEfficiency& efficiency)
    : efficiency_(efficiency), gpus_(gpus) {
  if (gpus < 2) return;
  const Topology topology(hardware, (gpus - 1) * stride + 1);
  std::vector<int> first_host, heads;  // the group's GPUs of the first host; its first GPU of each host
  for (int i = 0; i < gpus; ++i) {
    const int gpu = i * stride;
    if (topology.host_of(gpu) == 0) first_host.push_back(gpu);
    if (i == 0 || topology.host_of(gpu) != topology.host_of(heads.back())) heads.push_back(gpu);
  }
  const auto rate = [&](const std::vector<int>& ring) { return ring.size() < 2 ? 0.0 : ring_rate(topology, ring); };
  within_ = {static_cast<int>(first_host.size()), rate(first_host),
             hardware.nvlink_bytes_per_s > 0 ? LinkKind::nvlink : LinkKind::pcie};
  between_ = {static_cast<int>(heads.size()), rate(heads), LinkKind::network};
  if (heads.size() > 1 && between_.bytes_per_s == 0)
    throw InputError({}, topology.missing_link(0, topology.gpus()));
  send_bytes_per_s_ = heads.size() > 1 ? between_.bytes_per_s : within_.bytes_per_s;
}

double LinkCost::stage_ns(const Stage& stage, Collective kind, double bytes) const {
  if (stage.gpus < 2) return 0;
  const double wire_ns = share_on_wire(kind, stage.gpus) * bytes / stage.bytes_per_s * 1e9;
  const double small =
      efficiency_.small_ns + efficiency_.small_ns_per_gpu * stage.gpus + wire_ns / efficiency_.small_share;
  return std::min(small, efficiency_.bulk_ns + wire_ns / efficiency_.bulk_share);
}

double LinkCost::ns(Collective kind, double bytes) const {
  if (kind == Collective::all_to_all)  // what goes to other hosts goes over each GPU's own card, nothing is merged
    return stage_ns(within_, kind, bytes / between_.gpus) + stage_ns(between_, kind, bytes);
  return stage_ns(within_, kind, bytes) + stage_ns(between_, kind, bytes / within_.gpus);
}

double LinkCost::send_ns(double bytes) const {
  if (gpus_ < 2) return 0;
  return efficiency_.send_ns + bytes / (send_bytes_per_s_ * efficiency_.bulk_share) * 1e9;
}

double LinkCost::wire_bytes(Collective kind, double bytes) const {
  return gpus_ < 2 ? 0 : share_on_wire(kind, gpus_) * bytes;
}

std::string LinkCost::text() const {
  if (gpus_ < 2) return "none";
  std::string out = within_.gpus > 1 ? std::string(link_kind_name(within_.kind)) : "";
  if (between_.gpus > 1) out += out.empty() ? "network" : ", network between hosts";
  return out;
}
}  // namespace stowage
