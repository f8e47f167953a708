#pragma once
// A profile: what one kind of GPU was measured to take, operator by operator, with the error of each part. `stowage
// calibrate` writes it (YAML, schema stowage.profile/1), this reads it, and compile_profile() turns it into the price
// table of one replica under one KV layout. An operator graph prices its nodes through the same functions.
//
// Prices are GPU time of a kernel inside a CUDA graph, where one ends as the next begins. A kernel launched by the
// host one by one takes launch.eager - launch.graph longer. Single kernels are priced as bursts; `chain` and `slowdown`
// say what a whole step makes of them under the power limit.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "models/cost/kv_layout.hpp"
#include "models/cost/step_cost.hpp"
#include "models/hardware/hardware.hpp"
#include "models/llm/model.hpp"

namespace stowage {

/// Where numbers come from. measured: on this kind of GPU by gpu_probe. published: others' measurements, as they
/// published them. engine_log: coarse coefficients that explain the request times of a serving engine's own log.
enum class ProfileEvidence : std::uint8_t { measured, published, engine_log };
[[nodiscard]] std::string_view profile_evidence_name(ProfileEvidence evidence);

/// Piecewise-linear and non-decreasing: x ascending, first value held below, the slope of the last factor of two
/// continued above.
struct PriceTable {
  std::vector<double> x, ns;
  [[nodiscard]] double at(double value) const;
};

/// A product of rows x k by k x n, bf16, by its rows. The table never falls; the library's choice of kernel at some
/// rows does (448 rows of Llama-3-8B's gate-up take 1.8 times what 512 do): those rows keep what was measured.
struct GemmTable {
  std::int64_t n = 0, k = 0;
  PriceTable rows;
  std::vector<double> jump_rows, jump_ns;  // ascending; measured, off the table by more than 1 %
  /// As measured at these rows, else by the table.
  [[nodiscard]] double at(double count) const;
};

/// Decode attention of one layer by (batch, stored tokens of the batch, new ones included).
struct DecodePrices {
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;  // what was measured
  std::vector<double> batch, kv_tokens;                // ascending
  std::vector<double> ns;                              // row-major [batch][kv_tokens], contiguous K and V
  /// Price over that of contiguous memory, by stored tokens: paired measurements.
  struct Layout {
    std::int64_t block_tokens = 0;  // 0 = contiguous addresses over mapped pages
    std::vector<double> kv_tokens, ratio;
  };
  std::vector<Layout> layouts;
  /// Unequal contexts over equal ones of the same sum (log-uniform within a factor of 16, as traffic has them). Prices
  /// of decode_attention_ns() are of equal ones; compile_profile() adds this.
  double ragged_ratio = 1, ragged_spread = 0;
};

/// Prefill attention of one layer: tiles of `query_rows` query rows (tokens x the heads of a group) go round the SMs,
/// each costs item + tile x (128-token tiles of context); the correction is what that leaves, by new tokens and
/// context.
struct PrefillPrices {
  std::string loader;             // "tensor" (copy engine) or "gather" (threads), docs/probe-format.md
  std::int64_t block_tokens = 0;  // 0 = contiguous
  double fixed_ns = 0, tile_ns = 0, item_ns = 0;
  std::vector<double> new_tokens, kv_tokens;  // grid of the correction, ascending; interpolated in log2
  std::vector<double> correction;             // row-major [new_tokens][kv_tokens]
};

/// Error of a part by leaving one point out at a time, relative: mean absolute, signed mean, 95th percentile.
struct PartError {
  std::string part;
  double mape = 0, bias = 0, p95 = 0;
  std::int64_t points = 0;
  std::string how;  // what was compared with what
};

struct AllReducePrices {
  std::int64_t gpus = 0;
  PriceTable bytes;
};

/// One driver call: its fixed part and what each further handle in the same call adds.
struct VmmPrice {
  double call_ns = 0, handle_ns = 0, spread = 0;  // spread: relative standard deviation between machines and runs
};

/// The same work on every machine (gpu_probe/canary.hpp): how machines of one kind differ. 0 = not measured.
struct CanaryTimes {
  double read_ns = 0, rested_ns = 0, loaded_ns = 0;  // 1 GiB read; a product on a rested chip, and back to back
  [[nodiscard]] bool whole() const { return read_ns > 0 && rested_ns > 0 && loaded_ns > 0; }
};

struct Profile {
  std::string name;     // "h100-sxm-80gb": the hardware it prices
  std::string gpu;      // as the driver calls it
  std::string date;     // of the measurements, YYYY-MM-DD
  std::string source;   // one sentence: tool, driver, machines
  std::string command;  // what wrote the file
  ProfileEvidence evidence = ProfileEvidence::measured;

  std::int64_t sms = 0;
  double graph_kernel_ns = 0, eager_kernel_ns = 0;  // a kernel with nothing to do, one of many
  PriceTable norm, rotate, activate, sample;        // kernels that only move bytes, by bytes read and written
  /// Under the power limit: how much longer prefill attention takes in a step of so many rows than at the clock that it
  /// is priced at alone. Interpolated in log2, held at both ends; empty = 1.
  std::vector<double> slowdown_rows, slowdown;
  /// A rested chip's full clock: prices at it over those under load, by rows; how long it lasts and how fast it is
  /// earned back, by the decoding requests that run meanwhile (models/cost/power_credit.hpp). Empty = not measured.
  struct Rested {
    std::vector<double> rows, ratio, batch, capacity_ns, recharge;
    struct State {
      double capacity_ns = 0, recharge = 0;
    };
    /// What capacity and recharge may be as well, row-major [batch][draw]; empty = drawn() keeps those above.
    std::vector<double> drawn_capacity_ns, drawn_recharge;
    /// Interpolated, held at both ends.
    [[nodiscard]] State at(double decodes) const;
  };
  Rested rested;
  /// A whole step without attention over the sum of its kernels, by rows: what the power limit, caches and neighbours
  /// do to kernels in a chain. Graph: a captured decode step; eager: any other. Held at both ends; empty = 1.
  struct Chain {
    std::vector<double> rows, ratio;
    [[nodiscard]] double at(double step_rows) const;
  };
  Chain chain_graph, chain_eager;
  double host_graph_ns = 0, host_eager_ns = 0;  // a step's host work that the GPU waits for
  std::vector<GemmTable> gemm;
  DecodePrices decode;
  std::int64_t prefill_query_rows = 128;
  double prefill_unfilled = 0.5;  // of what one chunk leaves idle, when several run in a launch (PrefillTiles)
  std::vector<PrefillPrices> prefill;
  std::vector<AllReducePrices> all_reduce;
  std::optional<VmmPrice> vmm_create, vmm_map, vmm_set_access, vmm_unmap;
  CanaryTimes canary;
  std::vector<PartError> errors;
  std::vector<std::string> gaps;  // what was not measured and how it is priced instead, whatever the model
  /// Draws of a factor a part ("gemm", "decode", …): sampling noise, residuals and the spread between machines.
  struct Draws {
    std::string part;
    std::vector<double> factor;
  };
  std::vector<Draws> draws;

  // --- Prices of single operators, ns, non-decreasing in every size.
  /// A bf16 product. A shape nobody measured is priced by the utilisation of the measured ones nearest to it (in log n
  /// and log k, at the same rows): is_scaled() says so.
  [[nodiscard]] double gemm_ns(std::int64_t m, std::int64_t n, std::int64_t k) const;
  [[nodiscard]] bool is_scaled(std::int64_t n, std::int64_t k) const;
  /// One layer's decode attention. Other head counts and sizes are priced by streams (requests x KV heads) and bytes.
  [[nodiscard]] double decode_attention_ns(std::int64_t kv_heads, std::int64_t head_dim, double batch, double kv_tokens,
                                           const KvLayout& layout) const;
  [[nodiscard]] double slowdown_at(double rows) const;
  /// One layer's prefill attention of one chunk, without prefill_fixed_ns().
  [[nodiscard]] PrefillChunk prefill_attention(std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                                               std::int64_t q, std::int64_t stored, const KvLayout& layout) const;
  /// The same of 1, 2, … `tiles` whole tiles, whose items are dealt from one list: what makes a table quickly.
  [[nodiscard]] std::vector<PrefillChunk> prefill_attention_tiles(std::int64_t heads, std::int64_t kv_heads,
                                                                  std::int64_t head_dim, std::int64_t tiles,
                                                                  std::int64_t stored, const KvLayout& layout) const;
  [[nodiscard]] double prefill_fixed_ns(const KvLayout& layout) const;
  /// New tokens of one tile.
  [[nodiscard]] std::int64_t prefill_tile_tokens(std::int64_t heads, std::int64_t kv_heads) const;
  [[nodiscard]] bool has_all_reduce(std::int64_t gpus) const;
  /// In place over `gpus` GPUs of one host. More GPUs than measured: bytes as 2 (n - 1) / n of a ring, start-up by n
  /// + 1.
  [[nodiscard]] double all_reduce_ns(double bytes, std::int64_t gpus) const;
  [[nodiscard]] const PartError* error_of(std::string_view part) const;
  /// This profile with draw `i` of every part applied; i < draw_count().
  [[nodiscard]] Profile drawn(std::size_t i) const;
  /// This profile for a machine of the same kind whose canary took so long: what computes is scaled by the product's
  /// times, what waits for memory by the read's. Both canaries must be whole.
  [[nodiscard]] Profile anchored(const CanaryTimes& there) const;
  [[nodiscard]] std::size_t draw_count() const { return draws.empty() ? 0 : draws.front().factor.size(); }
  /// "measured on NVIDIA H100 80GB HBM3, 2026-11-23": for reports.
  [[nodiscard]] std::string summary() const;
};

/// Profile::gemm_ns of one shape, looked up once for many rows. Lives no longer than its profile.
class GemmAt {
 public:
  GemmAt(const Profile& profile, std::int64_t n, std::int64_t k);
  [[nodiscard]] double ns(std::int64_t m) const;

 private:
  const GemmTable* own_ = nullptr;  // of this shape
  double n_, k_;
  std::vector<std::pair<double, const GemmTable*>> near_;  // all tables by their distance
};

/// Profile::decode_attention_ns of one batch, looked up once for many contexts. Lives no longer than its profile.
class DecodeAt {
 public:
  DecodeAt(const Profile& profile, std::int64_t kv_heads, std::int64_t head_dim, double batch, const KvLayout& layout);
  [[nodiscard]] double ns(double kv_tokens) const;

 private:
  const DecodePrices* decode_;
  double streams_, size_ = 1;       // size_: K and V of a token over those measured
  std::size_t low_ = 0, high_ = 0;  // rows of the table, and the place between them
  double between_ = 0;
  const DecodePrices::Layout* layout_ = nullptr;
};

/// The rows that products of a step of `tokens` tokens run at: sizes of captured graphs to 256 (1, 2, 4, 8, 16, 24 …),
/// multiples of 64 above (vLLM's capture sizes; gpu_probe's padded_rows).
[[nodiscard]] std::int64_t padded_rows(std::int64_t tokens);

/// Throws InputError with all that is wrong: unknown keys, no unit, negative or non-finite values, tables that fall.
[[nodiscard]] Profile parse_profile(std::string_view text, const std::string& file);
[[nodiscard]] Profile load_profile(const std::string& path, const SourcePos& at = {});
/// The profile that comes with the program for this hardware, if any.
[[nodiscard]] std::optional<Profile> shipped_profile(const std::string& hardware);
[[nodiscard]] std::vector<std::string> shipped_profile_names();

/// Rows the head sees at most in a mixed step, which does not say how many it samples.
inline constexpr std::int64_t profile_mixed_head_rows = 64;

struct ProfileTarget {
  int tensor = 1;
  std::int64_t max_batched_tokens = 8192;
  std::int64_t max_batch = 256;
  KvLayout layout;
  bool host = true;    // false: the host's part of a step is left out, the caller adds his own
  bool ragged = true;  // contexts are unequal, as in traffic
};
/// The price table of one replica.
[[nodiscard]] StepCost compile_profile(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile,
                                       const ProfileTarget& target);
/// One step without attention and without the host's share. graph: a captured decode step.
[[nodiscard]] double dense_step_ns(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile,
                                   int tensor, std::int64_t tokens, std::int64_t sampled, bool graph);
/// A pipeline as its attention and its clock see it: a step runs as `micro_batches`, each on every stage.
struct Stages {
  int count = 1;
  double widest = 1;  // of all layers: the share of the fullest stage
  [[nodiscard]] double micro_batches(double of) const {
    return std::min(static_cast<double>(count), std::max(1.0, of));
  }
  /// How many times all layers' attention of one micro-batch a step waits for: the fullest stage's with each of them,
  /// or one's way through all stages when there are fewer than stages (models/cost/compile.hpp).
  [[nodiscard]] double passes(double micro_batches) const {
    return micro_batches < static_cast<double>(count) ? 1.0 : micro_batches * widest;
  }
};
/// Attention and full-clock time into a table whose entries for dense steps are there. compile_profile() does it for
/// one stage.
void compile_attention(const ModelSpec& model, const Profile& profile, const ProfileTarget& target,
                       const Stages& stages, StepCost::Table& table);
/// What of this model is not measured but scaled from other shapes, one sentence each.
[[nodiscard]] std::vector<std::string> profile_gaps(const ModelSpec& model, const Profile& profile, int tensor);
}  // namespace stowage
