#pragma once
// What tests by hand share: small scenarios in which bytes are tokens and a step takes 1,000 ns, run by the oracle, and
// by the engine, which must agree in everything. Tests cite the rules of docs/semantics.md that they show.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/differential/compare.hpp"
#include "tests/oracle/fleet.hpp"
#include "tests/oracle/oracle.hpp"

namespace stowage::hand {
using List = std::vector<std::int64_t>;
using Values = std::vector<double>;

inline ManagerSpec reserve(const std::string& length, const std::string& space, std::int64_t min_block = 16) {
  return {"reserve", "", {{"length", length}, {"space", space}, {"min_block", min_block}}};
}
inline ManagerSpec paged(std::int64_t block_size = 4, double watermark = 0.0) {
  return {"paged", "", {{"block_size", block_size}, {"watermark", watermark}}};
}
inline ManagerSpec vattention(std::int64_t page, const std::string& mapping, const std::string& reclaim = "deferred",
                              std::int64_t lookahead = 9, std::int64_t lookahead_blocks = 2,
                              const std::string& layout = "per-layer") {
  return {"vattention",
          "",
          {{"page", page},
           {"layout", layout},
           {"mapping", mapping},
           {"reclaim", reclaim},
           {"lookahead", lookahead},
           {"lookahead_blocks", lookahead_blocks}}};
}

/// One byte a token, one layer: with `vattention`, T = 2 tensors, so that a page of 2 bytes makes blocks of 4 tokens.
inline RunConfig tiny(std::int64_t pool, ManagerSpec manager) {
  RunConfig c;
  c.kv = {Bytes{pool}, Bytes{1}, 1};
  c.manager = std::move(manager);
  c.scheduler.max_model_len = 64;
  c.cost = StepCost(StepCost::Linear{1000, 0, 0, 0});
  return c;
}

constexpr std::int64_t ms = 1'000'000;
constexpr std::int64_t MiB = std::int64_t{1} << 20, GiB = std::int64_t{1} << 30;

/// Llama-3-8B: 128 KiB a token, 32 layers, 8 GiB of pool; 10 ms a step.
inline RunConfig llama(ManagerSpec manager) {
  RunConfig c;
  c.kv = {Bytes{8 * GiB}, Bytes{131072}, 32};
  c.manager = std::move(manager);
  c.cost = StepCost(StepCost::Linear{10.0 * ms, 0, 0, 0});
  return c;
}
inline std::vector<Request> four(std::int32_t outputs) {
  return {{0, 1000, outputs, 0}, {0, 1000, outputs, 1}, {0, 1000, outputs, 2}, {0, 1000, outputs, 3}};
}

/// The oracle's result, after the engine has agreed.
inline OracleResult run(const RunConfig& config, std::vector<Request> requests) {
  Case c{config, std::move(requests)};
  c.bind();
  const auto difference = first_difference(c);
  EXPECT_FALSE(difference) << *difference;
  return oracle_run(c.config, c.requests);
}
inline std::vector<OracleResult> run_fleet(const RunConfig& config, std::vector<Request> requests) {
  Case c{config, std::move(requests)};
  c.bind();
  const auto difference = first_difference(c);
  EXPECT_FALSE(difference) << *difference;
  return oracle_fleet(c.config, c.requests);
}

/// A field of every iteration, or of every request in order of completion.
template <class Record, class Value>
List column(const std::vector<Record>& records, Value Record::*field) {
  List out;
  for (const Record& r : records) out.push_back(static_cast<std::int64_t>(r.*field));
  return out;
}
template <class Value>
List column(const OracleResult& r, Value IterationRecord::*field) {
  return column(r.iterations, field);
}
inline double part(const OracleResult& r, Part p) { return r.mean_fraction[static_cast<std::size_t>(p)]; }
}  // namespace stowage::hand
