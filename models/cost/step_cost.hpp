#pragma once
// The price of one iteration, compiled once a scenario into tables and lines, so that pricing a step costs
// nanoseconds and never depends on the batch size. Every cost source (linear, roofline, profile) compiles to this.
//
//   linear:  base + per_prefill_token x P + per_decode_seq x B + per_kv_token x S, added left to right, + chunks
//   table:   dense[P + B] + decode attention (B, S), when B > 0  + attention of the prefill chunks
//
// Decode attention is the greater of two lines in S, or, measured, a table by B of lines between knots of S. Chunks
// add up; where a table says how long a chunk takes alone, a step takes no less than its longest one, nor than all work
// and the share of what one leaves idle that others do not fill.
// With P prefill tokens, B decoding requests and S the sum of their stored KV tokens before the step.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace stowage {

/// What a step computes, as integer aggregates kept by the engine.
struct StepShape {
  std::int64_t prefill_tokens = 0;    // P: all scheduled tokens that are not decode tokens
  std::int64_t decode_seqs = 0;       // B
  std::int64_t decode_kv_tokens = 0;  // S
  double prefill_attention_ns = 0;    // sum over the step's chunks of PrefillChunk::work_ns, in scheduling order
  double prefill_alone_ns = 0;        // greatest PrefillChunk::alone_ns of them
  double prefill_slack_ns = 0;        // greatest alone_ns - work_ns of them: what a chunk leaves idle
};

/// One chunk's attention, all layers: its share of the whole GPU's work, and what it takes when it runs alone. A long
/// context with few new tokens keeps few of the GPU's processors busy, so that several such chunks overlap.
struct PrefillChunk {
  double work_ns = 0, alone_ns = 0;
};

/// c + s x S between two knots.
struct DecodeSegment {
  double c = 0, s = 0;
};
/// Lines of one batch size between knots at 64, 96, 128, 192, … tokens: 2^k and 1.5 x 2^k. The first goes for all
/// below 96, the last for all above its knot.
inline constexpr std::size_t decode_segments = 34;
inline constexpr int decode_first_log2 = 6;
[[nodiscard]] inline std::size_t decode_segment_of(std::int64_t kv_tokens) {
  if (kv_tokens < std::int64_t{1} << decode_first_log2) return 0;
  const int log2 = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(kv_tokens))) - 1;
  const auto half = static_cast<std::size_t>((kv_tokens >> (log2 - 1)) & 1);
  return std::min(2 * static_cast<std::size_t>(log2 - decode_first_log2) + half, decode_segments - 1);
}
/// The knot where segment i begins.
[[nodiscard]] inline std::int64_t decode_knot(std::size_t i) {
  const std::int64_t power = std::int64_t{1} << (decode_first_log2 + static_cast<int>(i / 2));
  return i % 2 == 0 ? power : power + power / 2;
}

/// Pure-decode price at a fixed batch: ns(S) = lead + max(c0 + s0 x S, c1 + s1 x S), or lead + the segment of S. The
/// engine's inner loop. Lives no longer than the StepCost it came from.
struct DecodeLine {
  double lead = 0;
  double c0 = 0, s0 = 0, c1 = 0, s1 = 0;
  const DecodeSegment* segments = nullptr;
  [[nodiscard]] double ns(std::int64_t kv_tokens) const {
    const auto s = static_cast<double>(kv_tokens);
    if (segments != nullptr) {
      const DecodeSegment& line = segments[decode_segment_of(kv_tokens)];
      return lead + (line.c + line.s * s);
    }
    return lead + std::max(c0 + s0 * s, c1 + s1 * s);
  }
};

/// The same for a loop whose S hardly grows: looks the segment up when S leaves it.
class DecodeCursor {
 public:
  explicit DecodeCursor(const DecodeLine& line) : line_(line) {
    if (line.segments == nullptr) until_ = std::numeric_limits<std::int64_t>::max();
  }
  [[nodiscard]] double ns(std::int64_t kv_tokens) {
    if (kv_tokens >= until_) [[unlikely]] enter(kv_tokens);
    const auto s = static_cast<double>(kv_tokens);
    return line_.lead + std::max(line_.c0 + line_.s0 * s, line_.c1 + line_.s1 * s);
  }

 private:
  void enter(std::int64_t kv_tokens) {
    const std::size_t at = decode_segment_of(kv_tokens);
    line_.c0 = line_.c1 = line_.segments[at].c;
    line_.s0 = line_.s1 = line_.segments[at].s;
    until_ = at + 1 < decode_segments ? decode_knot(at + 1) : std::numeric_limits<std::int64_t>::max();
  }
  DecodeLine line_;
  std::int64_t until_ = 0;  // S never falls, and the present segment ends there
};

/// Attention of decoding B requests, all layers: the greater of two lines in S, with intercepts linear in B.
struct DecodeAttention {
  double c0 = 0, c0_per_seq = 0, s0 = 0;
  double c1 = 0, c1_per_seq = 0, s1 = 0;
};

/// Attention of one prefill chunk of q new tokens on c stored ones, all layers. Prices query-key pairs
/// q x c + q (q + 1) / 2 against a utilisation surface over (log2 q, log2 (c + q)); one cell = a constant.
struct PrefillAttention {
  double ns_per_pair = 0;               // at utilisation 1
  double ns_per_kv_token = 0;           // reading K and V of c + q tokens once: a floor under the pairs
  double fixed_ns = 0;                  // launch, per chunk
  std::vector<double> log2_q, log2_kv;  // grid, ascending; empty = utilisation 1 everywhere
  std::vector<double> utilisation;      // row-major [q][kv]
};

/// Measured prefill attention: a chunk is cut into tiles of `tile_tokens` new tokens; how long n tiles on a stored
/// context take is linear in it between knots at 0, 256, 512, 1024, … tokens (the last segment goes on).
struct PrefillTiles {
  std::int64_t tile_tokens = 0;  // 0 = PrefillAttention decides
  double fixed_ns = 0;           // once a step with any chunk
  double unfilled = 0;           // share of a chunk's idle time that further chunks do not fill
  std::size_t knots = 0;
  std::vector<PrefillChunk> chunks;  // row-major [tiles, from 0][knots]
  static constexpr std::int64_t first_knot = 256;
  [[nodiscard]] static std::int64_t knot(std::size_t i) { return i == 0 ? 0 : first_knot << (i - 1); }
};

/// What a chip below its power limit does to a step with prompt tokens (models/cost/power_credit.hpp).
struct Boost {
  std::vector<double> ratio;        // by tokens in the step: its price at full clock over the table's; empty = 1
  std::vector<double> capacity_ns;  // by decoding requests in the step: the most full-clock time there is
  std::vector<double> recharge;     // by the same: full-clock time earned per time without prompts
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
    std::vector<double> decode_scale;        // of `decode`, by B: what a pipeline waits for; empty = 1
    std::vector<DecodeSegment> decode_rows;  // [B, from 0][decode_segments], instead of `decode`; empty = not measured
    double mixed_decode_ns = 0;              // more for decoding requests in a step that is no captured graph
    double decode_seq_ns = 0;  // more for each decoding request, not scaled; only read where there is a decode_scale
    PrefillTiles tiles;
    Boost boost;
  };

  StepCost() = default;
  explicit StepCost(Linear linear);
  explicit StepCost(Table table);

  [[nodiscard]] Kind kind() const { return kind_; }
  /// The step's price in ns, unrounded. The same expression, in the same order, as decode_line(B).ns(S).
  [[nodiscard]] double ns(const StepShape& shape) const;
  /// A step with prompt tokens: ns(), and what of it is the attention of its decoding requests, which a higher clock
  /// does not shorten.
  struct Price {
    double ns = 0, memory_ns = 0;
  };
  [[nodiscard]] Price price(const StepShape& shape) const;
  [[nodiscard]] bool has_boost() const { return kind_ == Kind::table && !table_->boost.ratio.empty(); }
  [[nodiscard]] DecodeLine decode_line(std::int64_t decode_seqs) const;
  /// Adds the attention of one prefill chunk of `q` tokens after `stored` tokens to the step.
  void add_chunk(StepShape& shape, std::int64_t q, std::int64_t stored) const {
    const PrefillChunk c = chunk(q, stored);
    shape.prefill_attention_ns += c.work_ns;
    shape.prefill_alone_ns = std::max(shape.prefill_alone_ns, c.alone_ns);
    shape.prefill_slack_ns = std::max(shape.prefill_slack_ns, c.alone_ns - c.work_ns);
  }
  [[nodiscard]] PrefillChunk chunk(std::int64_t q, std::int64_t stored) const;
  /// The attention of a chunk that is the only one of its step.
  [[nodiscard]] double chunk_ns(std::int64_t q, std::int64_t stored) const;
  /// No step with a token in it costs less.
  [[nodiscard]] double least_step_ns() const;
  [[nodiscard]] const Linear& linear() const { return linear_; }
  [[nodiscard]] const Table& table() const { return *table_; }

 private:
  [[nodiscard]] double memory_ns(const StepShape& shape) const;

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
