#include "cli/settings.hpp"

#include <fmt/format.h>

#include "base/config.hpp"
#include "base/error.hpp"
#include "models/cost/roofline.hpp"

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

std::optional<Bytes> Settings::size(const std::string& name) const {
  if (!has(name)) return std::nullopt;
  const auto value = parse_bytes(text(name));
  if (value && value->count() >= 0 && value->count() <= std::int64_t{1} << 50) return value;
  throw InputError({}, fmt::format("--{}: '{}' is not a size up to 1PiB; write a number and a unit, as 1.89GiB", name,
                                   shown(text(name))));
}

std::optional<double> Settings::share(const std::string& name) const {
  if (!has(name)) return std::nullopt;
  const auto value = parse_number(text(name));
  if (value && *value > 0 && *value <= 1) return value;
  throw InputError({}, fmt::format("--{}: '{}' is not a share; write it as 0.9 or 90%", name, shown(text(name))));
}

Layout Settings::layout(const ModelSpec& model, const HardwareSpec& hardware, const Layout& fallback) const {
  const auto degree = [&](const char* name, int value) { return static_cast<int>(whole(name, value, 1024)); };
  const Layout layout{degree("tensor", fallback.tensor), degree("pipeline", fallback.pipeline),
                      degree("expert", fallback.expert), degree("data", fallback.data)};
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
