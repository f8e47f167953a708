#pragma once
// Names of modules as quantization files write them: "lm_head", "model.layers.0*", "*.mlp.shared_expert.*",
// "re:.*self_attn.*". A plain name means the module and all below it.
#include <cstdint>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace stowage {

/// Which pattern of a list names a module. The order of adding decides between several; a list of hundreds of names of
/// single layers costs a look at those of the layer asked for.
class ModulePatterns {
 public:
  /// False when a regular expression ("re:...") cannot be understood.
  [[nodiscard]] bool add(std::string_view pattern, std::size_t value);
  /// `layer` < 0: outside the layers. `name` is the module's within its layer, or the whole.
  [[nodiscard]] std::optional<std::size_t> find(std::int64_t layer, const std::string& name) const;
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  struct Pattern {
    std::string text;  // without "model." and the like before it; of one layer: what comes after its number
    std::optional<std::regex> regex;
    std::size_t value = 0;
    [[nodiscard]] bool matches(const std::string& name) const;
  };
  std::map<std::int64_t, std::vector<Pattern>> of_layer_;
  std::vector<Pattern> of_any_;    // no digit in it: true of all layers or of none
  std::vector<Pattern> numbered_;  // "layers.1*": of layers 1, 10, 11 ...
  std::size_t size_ = 0;
};
}  // namespace stowage
