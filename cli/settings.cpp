#include "cli/settings.hpp"

#include <fmt/format.h>

#include "base/config.hpp"
#include "base/error.hpp"
#include "cli/setting_lists.hpp"
#include "models/cost/roofline.hpp"
#include "scenario/keys/reader.hpp"

namespace stowage::cli {

std::string Settings::text(const std::string& name) const {
  const auto it = options_.settings.find(name);
  return it == options_.settings.end() ? std::string{} : it->second;
}

std::int64_t Settings::whole(const std::string& name, std::int64_t fallback, std::int64_t max) const {
  if (!has(name)) return fallback;
  const auto value = parse_integer(text(name));
  if (value && *value >= 1 && *value <= max) return *value;
  throw InputError({}, fmt::format("--{}: '{}' is not a whole number from 1 to {}", name, shown(text(name)), max));
}

void Settings::read_into(const keys::Table& table, void* object) const {
  Problems problems;
  for (const keys::Key& key : table.keys) {
    const std::string option = option_of(key.name), place = "--" + option;
    if (!has(option) || !key.set) continue;
    try {
      ConfigDocument document;
      document.put(key.name, ConfigDocument::typed(text(option), place), {place});
      const auto value = keys::read_value(document.find(key.name), key.form, problems);
      if (value) key.set(object, *value);
    } catch (const InputError& error) {
      for (const Problem& p : error.problems()) problems.add(p.at, p.message);
    }
  }
  problems.throw_if_any();
}

Layout Settings::layout(const ModelSpec& model, const HardwareSpec& hardware, const Layout& fallback) const {
  ClusterSpec cluster;
  cluster.tensor = fallback.tensor, cluster.pipeline = fallback.pipeline;
  cluster.expert = fallback.expert, cluster.data = fallback.data;
  read(keys::cluster_keys(), cluster);
  const Layout layout = cluster.layout();
  if (const auto problem = layout_problem(model, layout))
    throw InputError({}, fmt::format("--{}: {}", problem->key, problem->why));
  if (const auto why = link_problem(hardware, layout))
    throw InputError({}, fmt::format("--{}: {}",
                                     layout.pipeline > 1 ? "pipeline"
                                     : layout.data > 1   ? "data"
                                                         : "tensor",
                                     *why));
  return layout;
}
}  // namespace stowage::cli
