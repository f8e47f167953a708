#pragma once
// The table of keys for people: the reference in docs/keys.md, and the paths that a shell completes.
#include <string>
#include <string_view>
#include <vector>

#include "scenario/keys/key.hpp"

namespace stowage::keys {
/// Markdown: a table a map, the one at the root first. `stop`: a map that another page tells about.
[[nodiscard]] std::string reference(const Table& table, std::string_view root, const Table* stop = nullptr);
/// What a missing key means: "required", "8192", "the GPU's"; empty for maps.
[[nodiscard]] std::string default_text(const Key& key, const Table& table);
/// "The KV pool." of "the KV pool".
[[nodiscard]] std::string sentence(std::string_view text);
/// "cluster.tensor", "managers[0].block_size", ...: every path that may be set to one value, each once.
[[nodiscard]] std::vector<std::string> paths(const Table& table);
}  // namespace stowage::keys
