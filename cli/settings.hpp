#pragma once
// The options of `fit` and `model show --graph`, read from what was written. Each throws InputError naming the option.
#include <cstdint>
#include <optional>
#include <string>

#include "base/units.hpp"
#include "cli/options.hpp"
#include "models/hardware/hardware.hpp"
#include "models/llm/model.hpp"

namespace stowage::cli {

class Settings {
 public:
  explicit Settings(const Options& options) : options_(options) {}
  [[nodiscard]] bool has(const std::string& name) const { return options_.settings.contains(name); }
  /// "" when absent.
  [[nodiscard]] std::string text(const std::string& name) const;
  [[nodiscard]] std::int64_t whole(const std::string& name, std::int64_t fallback, std::int64_t max) const;
  [[nodiscard]] std::optional<Bytes> size(const std::string& name) const;
  [[nodiscard]] std::optional<double> share(const std::string& name) const;
  /// Checked against model and links.
  [[nodiscard]] Layout layout(const ModelSpec& model, const HardwareSpec& hardware, const Layout& fallback = {}) const;

 private:
  const Options& options_;
};
}  // namespace stowage::cli
