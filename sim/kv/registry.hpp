#pragma once
// The table of KV-cache memory managers: one row per manager. Names, help, "did you mean", the contract tests
// and the docs come from it. A new manager = one .cpp file with its policy and one row in registry.cpp.
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace stowage {

enum class ParamType : std::uint8_t { tokens, bytes, count, fraction, choice };

/// One parameter of a manager as users write it in a scenario.
struct ParamSpec {
  std::string_view name;
  ParamType type;
  std::string_view fallback;  // as the user would write it ("16", "2MiB", "max"); empty = decided by the manager
  std::string_view choices;   // for `choice`: "max pow2 oracle"
  double min = 0, max = 0;    // inclusive range for numbers, in the type's base unit (tokens, bytes, 1)
  std::string_view doc;
};

/// tokens, bytes and counts are int64; fractions double; choices string.
using ParamValue = std::variant<std::int64_t, double, std::string>;

/// A manager as a scenario asks for it, defaults filled in.
struct ManagerSpec {
  std::string kind;
  std::string name;  // unique within a scenario; default_name(spec) when not given
  std::map<std::string, ParamValue, std::less<>> params;

  [[nodiscard]] std::int64_t integer(std::string_view param) const;
  [[nodiscard]] double fraction(std::string_view param) const;
  [[nodiscard]] const std::string& choice(std::string_view param) const;
};

struct RunConfig;
struct RunResult;
struct RunHooks;
class KvManager;

/// What a request keeps of the pool in every step that it runs in, whatever happens, in tokens: what it has stored
/// by then, or, `whole_life`, at its end; rounded up to multiples of `granule`, and no less than `floor`.
struct LeastHeld {
  std::int64_t granule = 1, floor = 0;
  bool whole_life = false;
};

struct ManagerRow {
  std::string_view kind;
  std::string_view summary;     // one line for `--help` and the docs
  std::string_view deployable;  // engines that ship it today ("vllm, trt-llm"), or "none"
  std::span<const ParamSpec> params;
  /// Short name that tells apart settings: "paged-16", "vattention-2MiB", "reserve-max".
  std::string (*default_name)(const ManagerSpec&);
  /// Throws InputError (no position) when the settings are wrong: a page smaller than one token's share of a tensor, a
  /// bad combination of parameters; InfeasibleError when the pool holds not one block or slot.
  void (*check)(const RunConfig&);
  /// For upper bounds on what a pool can serve.
  LeastHeld (*least_held)(const RunConfig&);
  /// Runs one replica under this manager; the engine is instantiated for it, so the loop has no virtual call.
  RunResult (*run)(const RunConfig&, const RunHooks&);
  /// The manager alone, call by call (sim/kv/manager_calls.hpp).
  std::unique_ptr<KvManager> (*make)(const RunConfig&);
};

[[nodiscard]] std::span<const ManagerRow> managers();
/// nullptr when unknown.
[[nodiscard]] const ManagerRow* find_manager(std::string_view kind);
}  // namespace stowage
