#pragma once
// The price of one iteration, compiled once a scenario into tables and lines, so that pricing a step costs
// nanoseconds and never depends on the batch size. Every cost source (linear, roofline, profile) compiles to this.
//
//   linear:  base + per_prefill_token x P + per_decode_seq x B + per_kv_token x S, added left to right, + chunks
//   table:   dense[P + B] + max over two lines of (c + s x S), when B > 0  + sum of prefill chunk attention
//
// with P prefill tokens, B decoding requests and S the sum of their stored KV tokens before the step.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stowage {

/// What a step computes, as integer aggregates kept by the engine.
struct StepShape {
  std::int64_t prefill_tokens = 0;   // P: all scheduled tokens that are not decode tokens
  std::int64_t decode_seqs = 0;      // B
  std::int64_t decode_kv_tokens = 0; // S
  double prefill_attention_ns = 0;   // sum over the step's chunks of StepCost::chunk_ns, in scheduling order
};

/// Pure-decode price at a fixed batch: ns(S) = lead + max(c0 + s0 x S, c1 + s1 x S). The engine's inner loop.
struct DecodeLine {
  double lead = 0;
  double c0 = 0, s0 = 0, c1 = 0, s1 = 0;
  [[nodiscard]] double ns(std::int64_t kv_tokens) const {
    const auto s = static_cast<double>(kv_tokens);
    return lead + std::max(c0 + s0 * s, c1 + s1 * s);
  }
};

/// Attention of decoding B requests, all layers: the greater of two lines in S, with intercepts linear in B.
struct DecodeAttention {
  double c0 = 0, c0_per_seq = 0, s0 = 0;
  double c1 = 0, c1_per_seq = 0, s1 = 0;
};

/// Attention of one prefill chunk of q new tokens on c stored ones, all layers. Prices query-key pairs
/// q x c + q (q + 1) / 2 against a utilisation surface over (log2 q, log2 (c + q)); one cell = a constant.
struct PrefillAttention {
  double ns_per_pair = 0;       // at utilisation 1
  double ns_per_kv_token = 0;   // reading K and V of c + q tokens once: a floor under the pairs
  double fixed_ns = 0;          // launch, per chunk
  std::vector<double> log2_q, log2_kv;  // grid, ascending; empty = utilisation 1 everywhere
  std::vector<double> utilisation;      // row-major [q][kv]
};

class StepCost {
 public:
  enum class Kind : std::uint8_t { linear, table };
  struct Linear {
    double base_ns = 0, per_prefill_token_ns = 0, per_decode_seq_ns = 0, per_kv_token_ns = 0;
    double per_chunk_ns = 0;  // each prefill chunk: what a host adds a request (models/cost/host.hpp)
  };
  struct Table {
    std::vector<double> dense_ns;  // by tokens in the step, 0 ... max_batched_tokens: all but attention, host included
    std::vector<double> decode_dense_ns;  // the same for a pure decode step of B tokens (CUDA graph); empty = dense_ns
    DecodeAttention decode;
    PrefillAttention prefill;
  };

  StepCost() = default;
  explicit StepCost(Linear linear);
  explicit StepCost(Table table);

  [[nodiscard]] Kind kind() const { return kind_; }
  /// The step's price in ns, unrounded. The same expression, in the same order, as decode_line(B).ns(S).
  [[nodiscard]] double ns(const StepShape& shape) const;
  [[nodiscard]] DecodeLine decode_line(std::int64_t decode_seqs) const;
  /// What one prefill chunk of `q` tokens after `stored` tokens adds to StepShape::prefill_attention_ns.
  [[nodiscard]] double chunk_ns(std::int64_t q, std::int64_t stored) const;
  /// No step with a token in it costs less.
  [[nodiscard]] double least_step_ns() const;
  [[nodiscard]] const Linear& linear() const { return linear_; }
  [[nodiscard]] const Table& table() const { return *table_; }

 private:
  Kind kind_ = Kind::linear;
  Linear linear_;
  std::shared_ptr<const Table> table_;  // shared between the points of a sweep
};

/// Microseconds-scale prices of the CUDA virtual-memory calls on one physical page, in ns, unrounded.
struct VmmCost {
  double create_ns = 0, map_ns = 0, set_access_ns = 0, unmap_ns = 0;
  std::string source;  // where the numbers come from, for the report
};

/// Rounds to the nearest integer, halves away from zero, for x >= 0 (what std::llround does, without the call).
[[nodiscard]] inline std::int64_t round_ns(double x) {
  const auto whole = static_cast<std::int64_t>(x);
  return whole + ((x - static_cast<double>(whole)) >= 0.5 ? 1 : 0);
}
}  // namespace stowage
