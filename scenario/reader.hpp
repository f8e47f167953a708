#pragma once
// What the files of this folder share; not for use outside it.
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/config.hpp"
#include "scenario/cache.hpp"
#include "scenario/keys/reader.hpp"
#include "scenario/keys/tables.hpp"
#include "scenario/scenario.hpp"
#include "sim/kv/registry.hpp"

namespace stowage::detail {

struct Context {
  Problems& problems;
  ScenarioCache& cache;
};

/// Runs `read`; what it finds wrong joins the other problems, at `at` where it names no place of its own.
template <class Read>
auto collect(Problems& problems, const SourcePos& at, const std::string& prefix, Read read) -> decltype(read()) {
  try {
    return read();
  } catch (const InputError& e) {
    for (const auto& p : e.problems()) {
      const bool placed = !p.at.file.empty();
      problems.add(placed ? p.at : at, placed ? p.message : prefix + p.message);
    }
  }
  return decltype(read())();
}

using keys::pool_max;

/// The sections; an absent one (kind missing) gives its defaults. `model_known`: scenario.model was read.
[[nodiscard]] ClusterSpec read_cluster(const ConfigNode& node, const Scenario& s, bool model_known, Problems& problems);
[[nodiscard]] MemorySpec read_memory(const ConfigNode& node, const EngineSpec* engine, Problems& problems);
/// `defaults`: what the engine (or Stowage) would take.
[[nodiscard]] SchedulerConfig read_scheduler(const ConfigNode& node, const SchedulerConfig& defaults,
                                             Problems& problems);
[[nodiscard]] CostSpec read_cost(const ConfigNode& node, Problems& problems);
/// Loads the profile that `cost:` asks for, or the one shipped for scenario.hardware, into the scenario.
void read_profile(const ConfigNode& node, Scenario& scenario, Context& context);
/// What an engine means for the scheduler on this GPU, the host and the front end.
[[nodiscard]] SchedulerConfig scheduler_defaults(const EngineSpec* engine, const HardwareSpec& hardware,
                                                 std::int64_t model_len);
[[nodiscard]] std::optional<HostCost> read_host(const ConfigNode& node, const EngineSpec* engine, Problems& problems);
[[nodiscard]] HostLoop read_host_loop(const ConfigNode& node, const Scenario& s, Problems& problems);
[[nodiscard]] FrontendCost read_frontend(const ConfigNode& node, const EngineSpec* engine, Problems& problems);
void note_engine(Scenario& s);
/// `cluster.groups`; the scenario's own hardware where a group names none.
[[nodiscard]] std::vector<GroupSpec> read_groups(keys::KeyReader& cluster, const Scenario& s, bool model_known,
                                                 Problems& problems);
/// The scenario as if all of it were like this group.
[[nodiscard]] Scenario as_group(const Scenario& s, const GroupSpec& group);
[[nodiscard]] std::vector<SloTarget> read_slo(const ConfigNode& node, Problems& problems);

/// Reads `workload:` into scenario.workload and opens it (seeded, scaled); sets the ledger of a trace, and the
/// warnings. nullptr when something is wrong.
[[nodiscard]] std::shared_ptr<const Workload> read_workload(const ConfigNode& node, Context& context,
                                                            Scenario& scenario);

/// The same of the list `requests:`.
[[nodiscard]] std::shared_ptr<const Workload> read_requests(const ConfigNode& list, Context& context,
                                                            Scenario& scenario);

struct ManagerEntry {
  ManagerSpec spec;
  const ManagerRow* row = nullptr;
  SourcePos at;
  std::string path;
};
/// Reads `managers:` through the table in sim/kv/registry.hpp and gives every entry a name of its own.
/// An engine says whether prefixes are cached where an entry does not.
[[nodiscard]] std::vector<ManagerEntry> read_managers(const ConfigNode& node, const EngineSpec* engine,
                                                      Problems& problems);

/// What the file says, without what follows from it.
struct Parts {
  std::vector<ManagerEntry> managers;
  std::shared_ptr<const Workload> workload;
};
/// Everything that follows: scenario.budget, .kv, .runs, .notes. Throws the problems it finds, or InfeasibleError. Not
/// `priced`: no price tables are made, and steps and notes on prices are left out.
void derive(Scenario& scenario, const Parts& parts, const ConfigNode& root, Context& context, bool priced);

/// Prices of each manager's run: managers with other memory layouts run other attention kernels.
class Prices {
 public:
  /// Decides what prices the steps (scenario.cost_used) and notes what a reader must know about it.
  Prices(Scenario& scenario, ScenarioCache& cache);
  [[nodiscard]] StepCost steps(const ManagerSpec& manager);
  [[nodiscard]] VmmCost vmm(const ManagerSpec& manager) const;

 private:
  [[nodiscard]] std::shared_ptr<const StepCost> compiled(const KvLayout& kv);

  const Scenario& s_;
  ScenarioCache& cache_;
};
}  // namespace stowage::detail
