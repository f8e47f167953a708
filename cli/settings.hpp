#pragma once
// The options of `fit` and `model show --graph`, read from what was written. Each throws InputError naming the option.
#include <cstdint>
#include <string>

#include "cli/options.hpp"
#include "models/hardware/hardware.hpp"
#include "models/llm/model.hpp"
#include "scenario/keys/tables.hpp"

namespace stowage::cli {

class Settings {
 public:
  explicit Settings(const Options& options) : options_(options) {}
  [[nodiscard]] bool has(const std::string& name) const { return options_.settings.contains(name); }
  /// "" when absent.
  [[nodiscard]] std::string text(const std::string& name) const;
  [[nodiscard]] std::int64_t whole(const std::string& name, std::int64_t fallback, std::int64_t max) const;
  /// Puts what was given for the keys of `table` into `object`, by the rules of the keys: --max-batch is `max_batch`.
  template <class T>
  void read(const keys::TableOf<T>& table, T& object) const {
    read_into(table, &object);
  }
  /// Checked against model and links.
  [[nodiscard]] Layout layout(const ModelSpec& model, const HardwareSpec& hardware, const Layout& fallback = {}) const;

 private:
  void read_into(const keys::Table& table, void* object) const;
  const Options& options_;
};
}  // namespace stowage::cli
