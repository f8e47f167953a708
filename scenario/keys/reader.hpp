#pragma once
// Reads one map of a file by its table. Names, aliases, forms, ranges and suggestions come from the rows; what several
// keys must satisfy together is for the section that asks.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/config.hpp"
#include "scenario/keys/key.hpp"

namespace stowage::keys {

class KeyReader {
 public:
  /// Reports keys that the table lacks, keys given twice under different names, and required keys that are missing.
  KeyReader(const ConfigNode& map, const Table& table, Problems& problems);

  /// Reads every key that is given and whose row can `set` it; others leave what `object` holds.
  template <class T>
  void read(T& object) {
    read_into(&object);
  }

  [[nodiscard]] bool has(std::string_view name) const { return static_cast<bool>(found(name)); }
  /// The raw value, under whatever name the file has it; a missing one knows where it would be.
  [[nodiscard]] ConfigNode node(std::string_view name) const;
  /// "memory.kv_pool", as the file spells it, for messages.
  [[nodiscard]] std::string path_of(std::string_view name) const { return node(name).path(); }
  /// A problem at this key's value, or at the map when the key is absent.
  void problem(std::string_view name, std::string message) { problems_.add(node(name).at(), std::move(message)); }
  /// A key that is required here though not always.
  void missing(std::string_view name);

 private:
  [[nodiscard]] const ConfigNode& found(std::string_view name) const;
  void find_values(const std::vector<std::pair<std::string, SourcePos>>& keys);
  void read_into(void* object);
  void unknown(const std::string& name, const SourcePos& at);

  ConfigNode map_;
  const Table& table_;
  Problems& problems_;
  std::vector<ConfigNode> found_;  // by row; of a family not kept
};

/// A value by its form; nullopt when something was wrong, which is reported.
[[nodiscard]] std::optional<Value> read_value(const ConfigNode& node, const Form& form, Problems& problems);

/// A path as the user wrote it at `node`: relative to the file it stands in, or to the working directory in --set.
[[nodiscard]] std::string resolved_path(const ConfigNode& node);
/// Is this `model:` or `hardware:` a file rather than a name? As load_model and load_hardware see it.
[[nodiscard]] bool is_path(std::string_view text);
}  // namespace stowage::keys
