#pragma once
// The shape of a scenario as JSON Schema (draft 2020-12), for editors that complete and check YAML. Names of managers,
// routers, engines and arrivals come from the tables that the readers use. What depends on several keys at once (one of
// utilization, kv_pool and kv_tokens; a pool that holds a request) only the reader knows: `stowage check`.
#include <string>

namespace stowage {

[[nodiscard]] std::string scenario_schema();
/// A study of `stowage plan` and `stowage sweep`. Its `scenario` is a path or a scenario.
[[nodiscard]] std::string study_schema();
}  // namespace stowage
