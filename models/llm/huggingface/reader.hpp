#pragma once
// Reads keys of a config.json under any of the names that families give them.
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.hpp"
#include "models/llm/huggingface/family.hpp"

namespace stowage {

inline constexpr std::int64_t config_size_max = std::int64_t{1} << 24;  // of any one dimension: see small()
inline constexpr std::int64_t config_small_max = 65'536;

/// A JSON null counts as absent, as the transformers library takes it.
[[nodiscard]] bool given(const ConfigNode& map, std::string_view key);
/// Text of a scalar; "" for all else.
[[nodiscard]] std::string scalar_text(const ConfigNode& node);

class Reader {
 public:
  using Names = std::initializer_list<std::string_view>;

  /// `outer` holds what a nested text_config leaves to the file around it: dtype, quantization, tied embeddings.
  Reader(const ConfigNode& root, const ConfigNode& outer, std::span<const Default> defaults, Problems& problems)
      : root_(root), outer_(outer), defaults_(defaults), map_(root, problems), outer_map_(outer, problems) {}

  /// At least 1. The first name that is given, else the family's default of any, else `fallback`, else it
  /// is missing.
  std::int64_t size(Names names, std::optional<std::int64_t> fallback = {}) { return number(names, 1, fallback); }
  /// The same of heads, ranks and other dimensions of which three may be multiplied: at most 65,536.
  std::int64_t small(Names names, std::optional<std::int64_t> fallback = {}) {
    return number(names, 1, fallback, config_small_max);
  }
  std::int64_t count(Names names, std::int64_t fallback = 0) { return number(names, 0, fallback); }
  bool flag(Names names, bool fallback);
  [[nodiscard]] bool has(Names names) const { return !found(names).empty(); }
  [[nodiscard]] bool is_list(std::string_view key) const { return node(key).kind() == ConfigNode::Kind::list; }
  [[nodiscard]] ConfigNode node(std::string_view key) const { return root_.get(key); }
  [[nodiscard]] std::string text(std::string_view key) const { return scalar_text(root_.get(key)); }
  /// Whole numbers of a list; nothing when the key is no list. A wrong entry, or a list of another length than
  /// `length` (0 = any), is a problem.
  std::optional<std::vector<std::int64_t>> numbers(std::string_view key, std::size_t length);
  /// "tie_word_embeddings": the text's own, or the file's around it.
  bool outer_flag(std::string_view key, bool fallback);
  /// float32 is served as float16, as vLLM's dtype "auto" does; so is a file that names none.
  Dtype dtype();
  /// quantization_config of the text's part or of the file around it; missing when there is none.
  [[nodiscard]] ConfigNode quantization() const;
  void problem(std::string_view key, std::string message) { map_.problem(key, std::move(message)); }
  [[nodiscard]] const ConfigNode& outer() const { return outer_; }

 private:
  [[nodiscard]] std::string_view found(Names names) const;
  [[nodiscard]] std::optional<std::int64_t> usual(Names names) const;  // the family's default
  std::int64_t number(Names names, std::int64_t min, std::optional<std::int64_t> fallback,
                      std::int64_t max = config_size_max);

  ConfigNode root_, outer_;
  std::span<const Default> defaults_;
  MapReader map_, outer_map_;
};
}  // namespace stowage
