#pragma once
// Two scenarios mean the same: compared by what they hold, not by how they are written.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "scenario/scenario.hpp"

namespace stowage {

inline void expect_same_requests(const Workload& a, const Workload& b) {
  std::array<Request, 256> x, y;
  const auto from_a = a.open(), from_b = b.open();
  const std::size_t n = from_a->read(x), m = from_b->read(y);
  ASSERT_EQ(n, m);
  for (std::size_t i = 0; i < n; ++i) {
    ASSERT_EQ(x[i].arrival_ns, y[i].arrival_ns);
    ASSERT_EQ(x[i].prompt_tokens, y[i].prompt_tokens);
    ASSERT_EQ(x[i].output_tokens, y[i].output_tokens);
  }
}

inline void expect_same(const Scenario& a, const Scenario& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.schema, b.schema);
  EXPECT_EQ(a.seed, b.seed);
  EXPECT_EQ(a.model.name, b.model.name);
  EXPECT_EQ(a.model.parameters(), b.model.parameters());
  EXPECT_EQ(a.hardware.name, b.hardware.name);
  EXPECT_EQ(a.cluster, b.cluster);
  EXPECT_EQ(a.memory, b.memory);
  EXPECT_EQ(a.workload.rate_scale, b.workload.rate_scale);
  EXPECT_EQ(a.workload.source.index(), b.workload.source.index());
  EXPECT_EQ(a.slo, b.slo);
  EXPECT_EQ(a.kv.pool, b.kv.pool);
  EXPECT_EQ(a.notes, b.notes);
  ASSERT_EQ(a.runs.size(), b.runs.size());
  for (std::size_t i = 0; i < a.runs.size(); ++i) {
    const RunConfig &x = a.runs[i], &y = b.runs[i];
    EXPECT_EQ(x.scheduler.policy, y.scheduler.policy);
    EXPECT_EQ(x.scheduler.max_batch, y.scheduler.max_batch);
    EXPECT_EQ(x.scheduler.max_batched_tokens, y.scheduler.max_batched_tokens);
    EXPECT_EQ(x.scheduler.max_model_len, y.scheduler.max_model_len);
    EXPECT_EQ(x.scheduler.chunked_prefill, y.scheduler.chunked_prefill);
    EXPECT_EQ(x.scheduler.admit_full, y.scheduler.admit_full);
    EXPECT_EQ(x.manager.kind, y.manager.kind);
    EXPECT_EQ(x.manager.name, y.manager.name);
    EXPECT_EQ(x.manager.params, y.manager.params);
    EXPECT_EQ(x.cost.kind(), y.cost.kind());
    const StepShape shape{100, 3, 4000, 12.5};
    EXPECT_EQ(x.cost.ns(shape), y.cost.ns(shape));
    EXPECT_EQ(x.vmm.create_ns, y.vmm.create_ns);
    EXPECT_EQ(x.vmm.map_ns, y.vmm.map_ns);
    EXPECT_EQ(x.vmm.set_access_ns, y.vmm.set_access_ns);
    EXPECT_EQ(x.vmm.unmap_ns, y.vmm.unmap_ns);
    expect_same_requests(*x.workload, *y.workload);
  }
}

/// Written out and read again it is the same, and written out again it is the same text.
inline void expect_round_trip(const Scenario& s) {
  const std::string text = resolved_yaml(s);
  try {
    const auto again = parse_scenario(text, s.file);
    expect_same(s, again);
    EXPECT_EQ(resolved_yaml(again), text);
  } catch (const std::exception& e) { ADD_FAILURE() << e.what() << "\n" << text; }
}
}  // namespace stowage
