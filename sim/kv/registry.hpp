#pragma once
// The table of KV-cache memory managers: one row per manager. A row owns every fact about its manager: nobody else asks
// for a manager's name. Names, help, "did you mean", step prices, plans, contract tests and docs come from it. A new
// manager = one .cpp file with its class and one row in registry.cpp.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/units.hpp"
#include "models/cost/kv_layout.hpp"
#include "sim/manager_spec.hpp"

namespace stowage {

enum class ParamType : std::uint8_t { tokens, bytes, count, fraction, flag, choice };

/// One parameter of a manager as users write it in a scenario.
struct ParamSpec {
  std::string_view name;
  ParamType type;
  std::string_view fallback;  // as the user would write it ("16", "2MiB", "max"); empty = decided by the manager
  std::string_view choices;   // for `choice`: "max pow2 oracle"
  double min = 0, max = 0;    // inclusive range for numbers, in the type's base unit (tokens, bytes, 1)
  std::string_view doc;
  /// Values for random scenarios, as the user would write them; none = `fallback` and `choices`.
  std::string_view trials = {};
  std::string_view absent = {};  // what one left out is, in words; empty = `fallback`
};

struct RunConfig;
class KvManager;
class SequenceTable;

/// What a request keeps of the pool in every step that it runs in, whatever happens, in tokens: what it has stored
/// by then, or, `whole_life`, at its end; rounded up to multiples of `granule`, and no less than `floor`.
struct LeastHeld {
  std::int64_t granule = 1, floor = 0;
  bool whole_life = false;
};

/// A setting that `stowage fit` counts, and how it is called there: "paged 16", "block_size=16".
struct FitCase {
  std::string_view name, settings;
};

/// What a request holds at its end, and how much of it, on average over lengths about its own, no token ever uses.
struct HeldAtEnd {
  std::int64_t bytes = 0;
  double unused_bytes = 0;
};

struct ManagerRow {
  std::string_view kind;
  std::string_view summary;     // one line for `--help` and the docs
  std::string_view deployable;  // engines that ship it today ("vllm, trt-llm"), or "none"
  std::span<const ParamSpec> params;
  std::string_view granule;  // the parameter that says how much is taken at a time; empty = it has none
  /// Settings that its contract test goes through: "block_size=7 watermark=0.1".
  std::span<const std::string_view> contract_cases;
  /// Short name that tells apart settings: "paged-16", "vattention-2MiB", "reserve-max".
  std::string (*default_name)(const ManagerSpec&);
  /// Throws InputError (no position) when the settings are wrong: a page smaller than one token's share of a tensor, a
  /// bad combination of parameters; InfeasibleError when the pool holds not one block or slot.
  void (*check)(const RunConfig&);
  /// For upper bounds on what a pool can serve.
  LeastHeld (*least_held)(const RunConfig&);
  std::span<const FitCase> fit_cases;
  /// With P + O - 1 tokens stored; for `stowage fit`.
  HeldAtEnd (*held_at_end)(const RunConfig&, std::int64_t prompt, std::int64_t output);
  /// How K and V lie in memory: what attention kernels have to find their way through.
  KvLayout (*layout)(const ManagerSpec&);
  /// A physical page that is mapped at a time, in each tensor; 0 = nothing is mapped.
  Bytes (*page)(const ManagerSpec&);
  bool on_hardware;  // gpu_probe replay has a real one of it
  /// What `vllm serve` is told of it, beginning with a space; nullptr = vLLM has it not.
  std::string (*vllm_flags)(const RunConfig&, bool pool_given);
  /// For one replica; it keeps a reference to the table.
  std::unique_ptr<KvManager> (*make)(const RunConfig&, const SequenceTable&);
};

[[nodiscard]] std::span<const ManagerRow> managers();
/// nullptr when unknown.
[[nodiscard]] const ManagerRow* find_manager(std::string_view kind);
/// The row of a manager that a scenario was read with.
[[nodiscard]] const ManagerRow& row_of(const ManagerSpec& spec);
/// A manager with these settings ("page=16KiB mapping=sync"), the others as they are by default. For tests and
/// benchmarks: a bad setting is a failed assertion.
[[nodiscard]] ManagerSpec manager_spec(const ManagerRow& row, std::string_view settings = {});
}  // namespace stowage
