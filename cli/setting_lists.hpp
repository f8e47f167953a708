#pragma once
// Lists of options that are kept as written; their subcommands read them (cli/settings.hpp).
#include <string>
#include <string_view>
#include <vector>

namespace stowage::cli {

struct Setting {
  std::string name, value, about;
};
[[nodiscard]] std::vector<Setting> fit_settings();
[[nodiscard]] std::vector<Setting> layout_settings();
[[nodiscard]] std::vector<Setting> graph_settings();
/// The option that stands for a key of a scenario: "max-batch" for "max_batch".
[[nodiscard]] std::string option_of(std::string_view key);
}  // namespace stowage::cli
