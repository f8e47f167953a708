#pragma once
// Lists of options that are kept as written; their subcommands read them (cli/settings.hpp).
#include <span>

namespace stowage::cli {

struct Setting {
  const char *name, *value, *about;
};
[[nodiscard]] std::span<const Setting> fit_settings();
[[nodiscard]] std::span<const Setting> layout_settings();
[[nodiscard]] std::span<const Setting> graph_settings();
}  // namespace stowage::cli
