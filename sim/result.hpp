#pragma once
// What one run under one manager produced. Plain data: reports format it, tests compare it.
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/histogram.hpp"
#include "sim/manager_spec.hpp"
#include "sim/run_trace.hpp"

namespace stowage {

/// The six parts the KV pool splits into at any instant; in bytes they sum to the pool.
enum class Part : std::uint8_t { live, reserved, internal, cached, external, free };
inline constexpr std::size_t part_count = 6;
inline constexpr std::array<std::string_view, part_count> part_names = {"live",   "reserved", "internal",
                                                                       "cached", "external", "free"};

/// Time-weighted means over one bin of the run, counted from the first arrival.
struct SeriesPoint {
  std::int64_t start_ns = 0, end_ns = 0;
  std::array<double, part_count> bytes{};  // indexed by Part
  double running = 0, waiting = 0;         // requests
};

/// Why a request is never served (S2.8 to S2.10).
inline constexpr const char* reject_too_long = "longer than max_model_len";
inline constexpr const char* reject_too_large = "larger than the KV pool";
inline constexpr const char* reject_never_sent = "waits for one that was rejected";

struct RejectedRequest {
  std::uint64_t id = 0;
  std::int32_t prompt_tokens = 0, output_tokens = 0;
  std::string reason;  // one of the two above
};

/// One replica of a fleet, in short. Times, means and fractions as in RunResult, over the fleet's whole run.
struct ReplicaSummary {
  std::string group;  // ReplicaGroup::name
  std::uint64_t submitted = 0, completed = 0, rejected = 0, unfinished = 0, preemptions = 0;
  std::uint64_t iterations = 0, prompt_tokens = 0, output_tokens = 0;
  std::int64_t busy_ns = 0;  // with requests running
  double batch_mean = 0;
  std::int64_t batch_max = 0;
  std::int64_t pool_bytes = 0, pool_tokens = 0, peak_committed_bytes = 0;
  std::int64_t stall_ns = 0;
  std::array<double, part_count> mean_fraction{};
  Summary ttft_ns, tbt_ns, e2e_ns;
};

/// How unevenly something is spread over n replicas x_i.
struct Imbalance {
  double max_over_mean = 1;  // 1 = even
  double cov = 0;            // standard deviation (over n) / mean; 0 = even
  double jain = 1;           // (sum x)^2 / (n x sum x^2), Jain, Chiu, Hawe 1984: 1 = even, 1/n = all on one
};

struct RunResult {
  std::string name;  // of the manager, as the scenario calls it
  ManagerSpec manager;

  std::uint64_t submitted = 0, completed = 0, rejected = 0, unfinished = 0, preemptions = 0;
  std::vector<RejectedRequest> first_rejected;  // at most 100; `rejected` counts them all
  std::int64_t first_arrival_ns = 0, makespan_ns = 0;
  std::uint64_t iterations = 0;
  std::uint64_t prompt_tokens = 0, output_tokens = 0;  // of completed requests

  LogHistogram ttft_ns, tbt_ns, e2e_ns, queue_ns;  // tbt: one entry per gap; the others one per request
  LogHistogram tpot_ps;  // picoseconds: a mean over tokens is no whole number of ns

  /// As the client sees them, front end included; empty without one.
  LogHistogram client_ttft_ns, client_e2e_ns;

  double batch_mean = 0;       // NaN when nothing ran; of a fleet: of one replica, weighted by busy time
  std::int64_t batch_max = 0;  // of a fleet: of any one replica
  std::int64_t busy_ns = 0;    // with requests running; of a fleet: summed

  /// Of a fleet pools and peaks are summed over the replicas (whose peaks need not coincide), and bytes a token are
  /// those of the first.
  std::int64_t pool_bytes = 0, pool_tokens = 0, bytes_per_token = 0;
  std::int64_t peak_committed_bytes = 0, peak_live_bytes = 0;
  std::array<double, part_count> mean_fraction{};  // of the pool, time-weighted, first arrival to last completion
  std::vector<SeriesPoint> series;                 // <= 1,024 bins, equal width

  struct Vmm {
    std::uint64_t map_calls = 0, unmap_calls = 0;  // pages
    double busy_ns = 0;
    std::int64_t stall_ns = 0, stall_max_ns = 0;
    std::uint64_t stalled_iterations = 0;
  } vmm;

  /// Of completed requests: tokens of their prompts, and those that were in memory when they were admitted first; and
  /// what the preempted had to have again, and found.
  struct Prefix {
    bool caching = false;
    std::int64_t queried_tokens = 0, hit_tokens = 0, resumed_tokens = 0, resumed_hit_tokens = 0;
  } prefix;

  std::vector<ReplicaSummary> replicas;                            // of a fleet of more than one
  Imbalance requests_imbalance, tokens_imbalance, busy_imbalance;  // submitted; prompt + output; busy time

  std::shared_ptr<const RunTrace> trace;  // samples for reports; null unless RunHooks::trace asked for them
  std::int64_t wall_ns = 0;  // real time of the simulation; the only field that differs between two runs

  /// Neither rejected nor left unfinished are served: no objective is met for them.
  [[nodiscard]] std::uint64_t unserved() const { return rejected + unfinished; }
  [[nodiscard]] double makespan() const;  // ns; NaN when nothing completed
  [[nodiscard]] double requests_per_s() const;
  [[nodiscard]] double prompt_tokens_per_s() const;
  [[nodiscard]] double output_tokens_per_s() const;
};

/// One finished request, streamed out as it ends (requests.csv).
struct RequestRecord {
  std::uint64_t id = 0;
  std::int64_t arrival_ns = 0, first_scheduled_ns = 0, first_token_ns = 0, finished_ns = 0;
  std::int32_t prompt_tokens = 0, output_tokens = 0, preemptions = 0;
  std::int32_t hit_tokens = 0;  // of its prompt, in memory when it was admitted first
  std::int32_t replica = 0;
  /// The same at the client, front end included.
  std::int64_t client_arrival_ns = 0, client_first_token_ns = 0, client_finished_ns = 0;
};

/// One iteration (iterations.csv, differential tests). Memory is as it stands during the iteration.
struct IterationRecord {
  std::uint64_t index = 0;
  std::int64_t start_ns = 0, stall_ns = 0, step_ns = 0;
  std::int64_t prefill_tokens = 0, decode_seqs = 0, decode_kv_tokens = 0, running = 0, waiting = 0;
  std::int64_t live_bytes = 0, held_bytes = 0, cached_bytes = 0, external_bytes = 0, free_bytes = 0;
  std::int32_t replica = 0;
};

/// One batch as the scheduler formed it (steps.csv, comparisons with logs of engines).
struct StepRecord {
  struct Row {
    std::uint64_t id = 0;
    std::int64_t before = 0, tokens = 0, known = 0;  // tokens given to earlier steps or found; in this one; to be had
    bool decode = false;
  };
  std::int64_t formed_ns = 0, begins_ns = 0, ends_ns = 0;  // without rows all three are the boundary
  std::vector<Row> rows;                                   // in scheduled order
  std::vector<std::uint64_t> preempted;                    // ids, in the order in which they went
  std::int64_t free_units = 0, running = 0, waiting = 0;   // once it was formed; units = blocks of `paged`
  std::int32_t replica = 0;
};

class StepExecutor;  // sim/serve/executor.hpp
class StepTimes;     // sim/serve/step_times.hpp

/// Optional listeners of a run; empty = not called, and then the engine takes its fastest path.
struct RunHooks {
  std::function<void(const RequestRecord&)> on_request;
  std::function<void(const IterationRecord&)> on_iteration;
  std::function<void(const StepRecord&)> on_step;  // walks the batch at every step
  std::function<void(std::int64_t simulated_ns, std::uint64_t completed)> on_progress;  // a few times a second
  StepExecutor* executor = nullptr;  // carries out and times every iteration, instead of the cost model
  StepTimes* times = nullptr;        // times every iteration, instead of the cost model; of a bare replica
  bool trace = false;  // fill RunResult::trace; every other number stays the same
};
}  // namespace stowage
