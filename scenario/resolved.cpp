// Writes a scenario out with nothing left to default: the rows of scenario/keys, each with its value.
#include <filesystem>

#include "scenario/keys/tables.hpp"
#include "scenario/scenario.hpp"

namespace stowage {

std::string resolved_yaml(const Scenario& s, const std::optional<std::string>& kept_in) {
  const std::string folder = kept_in ? *kept_in : std::filesystem::path(s.file).parent_path().string();
  return keys::written_map(keys::scenario_keys(), &s, folder) + "\n";
}
}  // namespace stowage
