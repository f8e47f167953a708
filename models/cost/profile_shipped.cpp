// The profiles that come with the program.
#include "base/embedded.hpp"
#include "models/cost/profile.hpp"

namespace stowage {
std::span<const EmbeddedFile> embedded_profiles();  // calibrate/profiles/*.yaml, put there by the build

std::optional<Profile> shipped_profile(const std::string& hardware) {
  const auto* file = find_embedded(embedded_profiles(), hardware + ".yaml");
  if (file == nullptr) return std::nullopt;
  return parse_profile(file->bytes, "profiles/" + std::string(file->name));
}

std::vector<std::string> shipped_profile_names() {
  std::vector<std::string> names;
  for (const auto& file : embedded_profiles()) names.emplace_back(file.name.substr(0, file.name.rfind('.')));
  return names;
}
}  // namespace stowage
