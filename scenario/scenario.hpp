#pragma once
// A scenario: the YAML file that says what to simulate, read, checked and resolved into one RunConfig a manager.
// The contract with users is section 5 of docs/design.md; every key has a row in the tables of scenario/keys.
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/config.hpp"
#include "base/error.hpp"
#include "base/units.hpp"
#include "models/cost/host.hpp"
#include "models/cost/profile.hpp"
#include "models/cost/roofline.hpp"
#include "models/engine.hpp"
#include "models/hardware/hardware.hpp"
#include "models/llm/model.hpp"
#include "models/memory_budget.hpp"
#include "sim/run_config.hpp"
#include "traces/workload.hpp"

namespace stowage {

inline constexpr std::array<std::string_view, 5> slo_metric_names = {"ttft", "tbt", "tpot", "e2e", "queue"};
inline constexpr std::array<std::string_view, 6> slo_statistic_names = {"mean", "p50", "p90", "p95", "p99", "max"};

/// `ttft_p99: 1s`. Indices into the two tables above.
struct SloTarget {
  std::size_t metric = 0, statistic = 0;
  double limit_ns = 0;
  /// "ttft_p99"
  [[nodiscard]] std::string name() const;
  bool operator==(const SloTarget&) const = default;
};

/// `cluster: {groups: [{replicas: 2, hardware: a100-80gb, tensor: 2, weight: 3}]}`: replicas that are alike.
struct GroupSpec {
  std::int64_t replicas = 1, tensor = 1, weight = 1;
  std::string hardware_ref;  // as Scenario::hardware_ref
  HardwareSpec hardware;
  SourcePos at;
  /// What follows: the layout and pool of one of its replicas, and the profile that prices it; null = its spec sheet.
  KvGeometry kv;
  std::int64_t pool_tokens = 0;
  std::shared_ptr<const Profile> profile;
  [[nodiscard]] std::string name() const;  // "2 x a100-80gb"
  /// As written.
  bool operator==(const GroupSpec& o) const {
    return replicas == o.replicas && tensor == o.tensor && weight == o.weight && hardware.name == o.hardware.name;
  }
};

struct ClusterSpec {
  std::int64_t replicas = 1, tensor = 1, pipeline = 1;
  std::string router = "round-robin";
  std::int64_t expert = 1, data = 1;  // as in Layout
  [[nodiscard]] Layout layout() const {
    return {static_cast<int>(tensor), static_cast<int>(pipeline), static_cast<int>(expert), static_cast<int>(data)};
  }
  std::vector<GroupSpec> groups;  // empty: all replicas are as the scenario says
  [[nodiscard]] std::int64_t replicas_in_all() const;
  bool operator==(const ClusterSpec&) const = default;
};

/// `memory:` as given; exactly one of utilization, kv_pool and kv_tokens decides.
struct MemorySpec {
  std::optional<double> utilization;
  std::optional<Bytes> kv_pool;                // of the replica, all its GPUs together
  std::optional<std::int64_t> kv_tokens;       // of the replica
  std::optional<Bytes> activations, overhead;  // measured values for the budget, with utilization only
  std::optional<Bytes> device, weights, graphs;  // the same
  std::optional<Dtype> kv_dtype;               // instead of the model's
  bool operator==(const MemorySpec&) const = default;
};

enum class CostSource : std::uint8_t { linear, roofline, profile };
inline constexpr std::array<std::string_view, 3> cost_source_names = {"linear", "roofline", "profile"};

struct CostSpec {
  CostSource source = CostSource::profile;
  StepCost::Linear linear;
  std::string profile;  // path of the user's own, ready to open; empty = the one shipped for the hardware
  std::optional<double> vmm_create_ns, vmm_map_ns, vmm_set_access_ns, vmm_unmap_ns;
};

/// `workload: {requests: [{at: 0s, prompt: 1000, output: 25, count: 4}]}`
struct InlineRequests {
  double at_ns = 0;
  std::int64_t prompt = 0, output = 0, count = 1;
  std::vector<std::uint64_t> hashes = {};    // of the prompt's leading blocks
  std::optional<std::int64_t> stop_at = {};  // the output token that is an end-of-sequence; nothing = all `output`
  std::string session = {};                  // whose next turn it is; empty = of none
  double think_ns = 0;                       // since the end of the turn before
};

struct WorkloadSpec {
  /// The trace's path is ready to open. rate_scale in TraceOptions is unused; the one below goes for all kinds.
  std::variant<TraceOptions, std::vector<InlineRequests>, SyntheticSpec> source;
  double rate_scale = 1;  // arrival times are divided by it
  std::optional<std::int64_t> max_concurrency;  // requests under way at a time
  std::optional<std::int64_t> hash_block_size;  // tokens of one hash; has a value where prompts have hashes
};

/// A manager for which the pool is too small.
struct UnfitManager {
  std::size_t entry = 0;  // of `managers`, from 0
  std::string name, reason;
};

struct Scenario {
  std::string file;  // as given to load_scenario
  std::string name;
  std::int64_t schema = 1;
  std::uint64_t seed = 0;
  std::string model_ref, hardware_ref;  // zoo name, or a path ready to open
  ModelSpec model;
  HardwareSpec hardware;
  ClusterSpec cluster;
  MemorySpec memory;
  SchedulerConfig scheduler;
  CostSpec cost;
  const EngineSpec* engine = nullptr;  // whose defaults are taken; nothing = Stowage's own
  std::optional<HostCost> host;        // nothing = what the price of a step already says
  FrontendCost frontend;
  HostLoop host_loop;
  WorkloadSpec workload;
  std::vector<SloTarget> slo;  // in the order of the file

  // What follows from the above.
  std::optional<TraceLedger> ledger;  // of a trace workload
  MemoryBudget budget;                // computed in any case; decides the pool only with `utilization`
  KvGeometry kv;
  std::int64_t pool_tokens = 0;                 // floor(pool / bytes per token), before any rounding to blocks
  CostSource cost_used = CostSource::roofline;  // what prices the steps: `profile` may have had to fall back
  std::shared_ptr<const Profile> profile;       // when cost_used is profile
  std::vector<std::string> profile_gaps;        // what of it is scaled from other shapes
  std::vector<std::string> warnings;            // what looks like a number in a wrong unit; `notes` begin with them
  std::vector<std::string> notes;               // one line each, to be shown with every result
  std::vector<RunConfig> runs;                  // one a manager, in the order of the file
  std::vector<UnfitManager> unfit;              // managers without a run: of one of many points, where others fit
};

/// Reads, applies each `sets` ("memory.kv_pool=8GiB") in order, then `seed`. Relative paths in the file are relative
/// to its folder, those in `sets` to the working directory. Throws InputError with everything that is wrong, each with
/// its position; InfeasibleError with the sum when the model leaves no room on its GPUs.
[[nodiscard]] Scenario load_scenario(const std::string& path, std::span<const std::string> sets = {},
                                     std::optional<std::uint64_t> seed = {});
/// The same for a text at hand; `file` names it in messages and its folder is where relative paths start.
[[nodiscard]] Scenario parse_scenario(std::string_view text, const std::string& file,
                                      std::span<const std::string> sets = {}, std::optional<std::uint64_t> seed = {});

struct ScenarioCache;  // scenario/cache.hpp
/// The same for a document at hand, one of many that share `cache`.
[[nodiscard]] Scenario resolve_scenario(const ConfigDocument& document, std::optional<std::uint64_t> seed,
                                        ScenarioCache& cache);
/// Throws what resolve_scenario would throw, without the price tables, which take nearly all of its time.
void check_scenario(const ConfigDocument& document, ScenarioCache& cache);

/// The price table of a run under `manager` had draw `i` of the scenario's profile been its figures (Profile::drawn).
/// cost_used must be profile. `sheet`: the spec sheet's efficiencies, of what the profile cannot price.
[[nodiscard]] StepCost draw_steps(const Scenario& scenario, const ManagerSpec& manager, std::size_t i,
                                  const RooflineEfficiency& sheet = {});

/// The scenario with every default written out, presets expanded, as YAML that load_scenario reads to the same
/// scenario; resolving that again gives the same bytes. Relative paths are written relative to `folder`, where the text
/// is going to be kept; by default that of the scenario's own file.
[[nodiscard]] std::string resolved_yaml(const Scenario& scenario, const std::optional<std::string>& folder = {});
}  // namespace stowage
