#include "models/cost/host.hpp"

#include <utility>

namespace stowage {

StepCost with_host(const StepCost& cost, const HostCost& host, std::int64_t layers) {
  if (host == HostCost{}) return cost;
  const double step_ns = host.per_step_ns + static_cast<double>(layers) * host.per_layer_ns;
  if (cost.kind() == StepCost::Kind::linear) {
    StepCost::Linear l = cost.linear();
    l.base_ns += step_ns;
    l.per_decode_seq_ns += host.per_seq_ns;
    l.per_chunk_ns += host.per_seq_ns;
    return StepCost(l);
  }
  StepCost::Table t = cost.table();
  for (double& ns : t.dense_ns) ns += step_ns;
  for (double& ns : t.decode_dense_ns) ns += step_ns;
  if (t.decode_scale.empty()) {
    t.decode.c0_per_seq += host.per_seq_ns;  // both lines: the greater of them grows by as much
    t.decode.c1_per_seq += host.per_seq_ns;
  } else {
    t.decode_seq_ns += host.per_seq_ns;  // a pipeline divides attention among its stages, not what the host does
  }
  // Row b of the measured table is for b requests.
  for (std::size_t i = 0; i < t.decode_rows.size(); ++i)
    t.decode_rows[i].c += static_cast<double>(i / decode_segments) * host.per_seq_ns;
  t.prefill.fixed_ns += host.per_seq_ns;  // once a chunk
  for (PrefillChunk& chunk : t.tiles.chunks) {
    chunk.work_ns += host.per_seq_ns;
    chunk.alone_ns += host.per_seq_ns;
  }
  return StepCost(std::move(t));
}
}  // namespace stowage
