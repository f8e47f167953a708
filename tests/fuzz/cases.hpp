#pragma once
// Whole files that use every key, and edits of one place in them.
#include <string>
#include <string_view>
#include <vector>

#include "base/config.hpp"
#include "base/rng.hpp"

namespace stowage::fuzz {

struct Seed {
  std::string name, text;
};
/// As resolved_yaml writes them, so that a value is found again at its own
/// path. They lie beside side_files().
[[nodiscard]] std::vector<Seed> scenario_seeds(const std::string& folder);
/// The same with vLLM's names of keys and short forms, which resolved_yaml
/// writes otherwise: see resolved_path().
[[nodiscard]] std::vector<Seed> short_seeds();
[[nodiscard]] std::vector<Seed> study_seeds();
[[nodiscard]] std::vector<Seed> hardware_seeds();
[[nodiscard]] std::vector<Seed> model_seeds();
[[nodiscard]] std::vector<Seed> huggingface_seeds();
/// Where resolved.yaml, or a model, has what stands at a path under another
/// program's name.
[[nodiscard]] std::string resolved_path(const std::string& path);
/// What the seeds name: trace.csv, gpu.yaml, model.yaml, base.yaml.
void write_side_files(const std::string& folder);

struct Edit {
  enum class What { value, key, extra, twice } what = What::value;
  std::string path;  // of what is edited
  std::string text;  // what stands there now: a value, or a key
  bool leaf = true;  // the path is of one value, not of a map or list
};
/// Each value, map and list of a file, with no text yet.
[[nodiscard]] std::vector<Edit> places_in(const ConfigNode& root);
[[nodiscard]] Edit random_edit(const ConfigNode& root, Rng& rng);
/// The file with the edit made, byte for byte where it is, block style around
/// it.
[[nodiscard]] std::string edited(const ConfigNode& root, const Edit& edit);
}  // namespace stowage::fuzz
