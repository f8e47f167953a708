#pragma once
// Where requests come from: trace files, lists written in a scenario, and synthetic generators. Everything here
// yields a Workload (base/request.hpp): openable many times, from any thread, the same requests each time.
#include <array>
#include <cstdint>
#include <iosfwd>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/request.hpp"

namespace stowage {

/// No prompt or output is longer than this anywhere; a larger number in a trace is a damaged row.
inline constexpr std::int32_t max_length_tokens = 10'000'000;

// --- Trace files ---------------------------------------------------------------------------------------------------

struct TraceOptions {
  std::string path = {};
  /// Arrival offsets are divided by this, rounded to the nearest nanosecond: 2 = twice the load. Finite, > 0.
  double rate_scale = 1;
  /// Reading stops after this many kept rows, as `head` would; 0 = all. Counted before `repeat`.
  std::uint64_t limit = 0;
  /// Copy k = 0, 1, ... is shifted by k x (span + mean gap) before scaling; span = last - first arrival, mean gap =
  /// span / (n - 1), their sum rounded to a nanosecond (0 for a single row). At least 1.
  std::uint64_t repeat = 1;
  /// Tokens of one hash, for formats that have hashes; 0 = as the format says.
  std::int64_t hash_tokens = 0;
};

/// What became of the rows of a file: rows = kept + the sum of dropped.
struct TraceLedger {
  std::string file;    // as given
  std::string format;  // "azure", "canonical", ...
  std::uint64_t rows = 0;
  std::uint64_t kept = 0;
  std::map<std::string, std::uint64_t> dropped;  // reason -> rows: "zero input", "zero output"
  std::uint64_t out_of_order = 0;                // kept rows earlier than a kept row above them; sorted, stably
  std::int64_t first_ns = 0, last_ns = 0;        // earliest and latest kept arrival, on the file's own clock
  std::uint64_t prompt_sum = 0, output_sum = 0;  // tokens of the kept rows
  std::int32_t prompt_max = 0, output_max = 0;
  bool stopped_at_limit = false;                 // rows below the limit were not looked at
  std::int64_t hash_tokens = 0;                  // of one hash; 0 in a format without hashes
  /// "azure.csv (azure): 19,366 rows = 19,364 kept + 2 zero output; out of order: 3, sorted"
  [[nodiscard]] std::string line() const;
};

/// Opens a trace; the header, not the file name, tells the format (traces/format.hpp has the table), gzip is seen by
/// its magic bytes. Reads the whole file once, so that every row is known to be good, then streams it: memory does not
/// grow with the file, except for files out of order (rows are held, 16 B each) and gzip (held unpacked). The first
/// arrival is at 0. Throws InputError with file:line:column.
[[nodiscard]] std::shared_ptr<const Workload> open_trace(const TraceOptions& options, TraceLedger& ledger);
/// So many rows, at most, are kept in memory by an open trace; all streams share them.
inline constexpr std::size_t trace_rows_held = std::size_t{1} << 20;    // 16 MiB
inline constexpr std::size_t trace_hashes_held = std::size_t{1} << 23;  // the same of their hashes: 64 MiB
/// What open_trace() would give for the same file at another rate_scale, without reading it again. Throws InputError.
[[nodiscard]] std::shared_ptr<const Workload> at_rate(const Workload& trace, double rate_scale);

/// Writes `arrival_ns,prompt_tokens,output_tokens`, the format open_trace knows as "canonical".
/// Throws EnvironmentError when the stream fails.
void write_canonical(const Workload& workload, std::ostream& out);

// --- Requests written in a scenario --------------------------------------------------------------------------------

/// What several prompts begin with.
struct PromptHashes {
  std::int64_t hash_tokens = 0;                   // > 0 when there are hashes; what a last hash lacks is private
  std::vector<std::vector<std::uint64_t>> lists;  // number Request::content; at most ceil(prompt / hash_tokens) each
};
/// A request of a list, and its place in a session. Turn k + 1 begins with the prompt and the answer of turn k, its
/// hashes do not count, and it arrives at the later of its arrival and the end of turn k + think.
struct ListedRequest {
  Request request;
  std::int32_t session = -1;  // the turns of a session are the requests with its number, in the list's order; -1: none
  std::int64_t think_ns = 0;  // >= 0; of a first turn unused
};

/// Sorts stably by arrival, that of later turns being what it is when all earlier ones take no time, and numbers the
/// requests. Arrivals (>= 0) are kept as they are, ids are overwritten.
[[nodiscard]] std::shared_ptr<const Workload> listed_workload(std::vector<ListedRequest> requests,
                                                              PromptHashes hashes = {});
/// The same of requests that have nothing in common.
[[nodiscard]] std::shared_ptr<const Workload> inline_workload(std::vector<Request> requests);

// --- Synthetic -----------------------------------------------------------------------------------------------------

enum class ArrivalKind : std::uint8_t {
  poisson,   // exponential gaps
  gamma,     // gamma gaps with coefficient of variation `cv`
  constant,  // request i at i / rate
  burst,     // all at 0
  closed,    // `concurrency` at 0, and each of the others when one before it has ended and `think_ns` have passed
};
inline constexpr std::array<std::string_view, 5> arrival_kind_names = {"poisson", "gamma", "constant", "burst",
                                                                       "closed"};

enum class LengthKind : std::uint8_t { fixed, uniform, lognormal, quantiles };
inline constexpr std::array<std::string_view, 4> length_kind_names = {"fixed", "uniform", "lognormal", "quantiles"};

/// A distribution of token counts. Draws are rounded to the nearest token.
struct LengthSpec {
  LengthKind kind = LengthKind::fixed;
  std::int32_t value = 1;  // fixed
  std::int32_t min = 1;    // uniform: bounds, both included; lognormal: draws are clipped to them
  std::int32_t max = max_length_tokens;
  /// lognormal: exactly two of the three. sigma is that of ln(length); mean = p50 x exp(sigma^2 / 2), before clipping.
  std::optional<double> mean = {}, p50 = {}, sigma = {};
  /// quantiles: (p, value), p strictly rising from 0 to 1, values not falling, 1 ... max_length_tokens; linear between.
  std::vector<std::pair<double, double>> quantiles = {};
};

struct SyntheticSpec {
  ArrivalKind arrivals = ArrivalKind::poisson;
  double rate_per_s = 1;  // mean; not used by burst and closed
  double cv = 1;          // of the gaps, gamma only
  std::int64_t concurrency = 1;  // closed only, as
  double think_ns = 0;           // from an end to the next request
  std::uint64_t count = 0;
  LengthSpec prompt = {};
  LengthSpec output = {};
  /// So many tokens stand in front of every prompt, besides its drawn ones; they are one of `prefix_groups` texts,
  /// each as likely. 0 = none.
  std::int32_t prefix_tokens = 0;
  std::int32_t prefix_groups = 1;
  std::int64_t hash_tokens = 16;  // what prompts of a group have in common: whole blocks of so many prefix tokens
};

/// The first request arrives at 0. Arrivals, prompts, outputs and groups draw from streams of their own, so changing
/// one leaves the others as they were. Constant memory. Throws InputError (without a position) naming the bad key.
[[nodiscard]] std::shared_ptr<const Workload> synthetic_workload(const SyntheticSpec& spec, std::uint64_t seed);

/// The requests of `workload` by clients that have no more than `most` under way: who has to wait is sent, in order of
/// arrival, `think_ns` after an end. Throws InputError where requests wait for others already.
[[nodiscard]] std::shared_ptr<const Workload> closed_loop(std::shared_ptr<const Workload> workload, std::int64_t most,
                                                          std::int64_t think_ns = 0);

struct SyntheticPreset {
  std::string_view name, summary;
  SyntheticSpec (*make)();
};
/// "azure-conv-2023", ...
[[nodiscard]] std::span<const SyntheticPreset> synthetic_presets();
/// nullptr when there is none of that name.
[[nodiscard]] const SyntheticPreset* find_synthetic_preset(std::string_view name);

// --- What no service has seen --------------------------------------------------------------------------------------

/// A bound that a workload of right units keeps. The table is in traces/plausible.cpp, and in docs/cli.md.
struct PlausibleBound {
  std::string_view what, limit, reason, likely;
};
[[nodiscard]] std::span<const PlausibleBound> plausible_bounds();

/// One sentence for each bound of that table that is broken, with the unit that the numbers are likely in; empty when
/// the requests could be a service's. Of a trace all kept rows count, at the file's own rate.
[[nodiscard]] std::vector<std::string> implausible(const TraceLedger& ledger);
/// Of requests that are written out or drawn the first 10,000 count. Their units are stated, so that only lengths are
/// judged, and a rate that all services together do not see.
[[nodiscard]] std::vector<std::string> implausible(const Workload& workload);

// --- What is in a workload -----------------------------------------------------------------------------------------

struct LengthStats {
  double mean = 0;
  std::int64_t p50 = 0, p90 = 0, p99 = 0, max = 0;  // exact: the value at rank floor(p x (n - 1)), from 0
};

struct TraceInfo {
  static constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
  std::uint64_t rows = 0, kept = 0;  // of the file; both the number of requests without a ledger
  std::map<std::string, std::uint64_t> dropped;
  std::uint64_t requests = 0;  // of the workload: kept x repeat
  double duration_s = 0;       // last - first arrival
  double rate_per_s = nothing;  // requests / duration; NaN when the duration is 0
  double cv = nothing;          // standard deviation of the gaps / mean gap; NaN when the duration is 0
  /// Index of dispersion: variance / mean of arrivals in whole windows of 1, 10 and 60 s from the first arrival (the
  /// part window at the end is left out); Poisson gives 1. None with fewer than two windows.
  std::optional<double> dispersion_1s, dispersion_10s, dispersion_60s;
  LengthStats prompt, output;
  /// Share of prompt tokens that an endless prefix cache of whole hash blocks would serve, the last token of a prompt
  /// always computed. None when nothing tells what prompts have in common.
  std::optional<double> prefix_hit;
};

/// Reads the workload once, in memory that depends on the longest request and the different hash blocks.
[[nodiscard]] TraceInfo trace_info(const Workload& workload, const TraceLedger* ledger = nullptr);
}  // namespace stowage
