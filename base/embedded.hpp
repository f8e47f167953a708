#pragma once
// Files that the build puts inside the binary (cmake/EmbedFiles.cmake). Each set has one accessor, declared by its
// owner; the bytes live as long as the program and are followed by a zero byte outside the view.
#include <algorithm>
#include <span>
#include <string_view>

namespace stowage {

struct EmbeddedFile {
  std::string_view name;  // without folder: "llama-3-8b.yaml"
  std::string_view bytes;
};

/// The file of that name in a set (sorted by name), or null.
[[nodiscard]] inline const EmbeddedFile* find_embedded(std::span<const EmbeddedFile> files, std::string_view name) {
  const auto it = std::lower_bound(files.begin(), files.end(), name,
                                   [](const EmbeddedFile& file, std::string_view key) { return file.name < key; });
  return it != files.end() && it->name == name ? &*it : nullptr;
}
}  // namespace stowage
