#pragma once
// The tree behind ConfigNode: shared by the parser, --set and the readers; not for use outside base/.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/config.hpp"

namespace stowage {

struct ConfigNode::Data {
  Kind kind = Kind::missing;
  std::string text;
  SourcePos at;
  std::string path;
  std::vector<std::shared_ptr<Data>> items;

  struct Entry {
    std::string key;
    SourcePos key_at;
    std::shared_ptr<Data> value;
  };
  std::vector<Entry> entries;
  std::vector<std::uint32_t> by_key;  // places in `entries` in the order of their keys; empty = not indexed
  /// Of a map: keys that --set removed though they were not there (ConfigNode::removed).
  std::vector<std::pair<std::string, SourcePos>> removed;

  /// Of a map that is complete: lets find() search instead of looking at every entry.
  void index();
  /// The entry of each key that an earlier one has too, with the first of that key; of an indexed map.
  [[nodiscard]] std::vector<std::pair<const Entry*, const Entry*>> given_twice() const;

  [[nodiscard]] const Entry* find(std::string_view key) const;
  [[nodiscard]] std::string child_path(std::string_view key) const;
  [[nodiscard]] std::string child_path(std::size_t index) const;
  /// Rewrites the paths of everything below after this node was put somewhere else.
  void set_path(std::string new_path);
};

/// The tree of one YAML document. Without `positions` every value stands at `file` (for --set). Throws InputError.
[[nodiscard]] std::shared_ptr<ConfigNode::Data> parse_config_tree(std::string_view text, const std::string& file,
                                                                  bool positions);

/// How deep lists and maps may nest: keeps every recursive walk far from the end of the stack.
inline constexpr std::size_t config_depth_max = 64;
}  // namespace stowage
