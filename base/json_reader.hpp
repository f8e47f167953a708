#pragma once
// JSON files, ours and others', read with distrust: every value is asked for with its type and range, and what is wrong
// is told with the file and the JSON pointer of the value. Nothing of nlohmann's own errors comes out.
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/config.hpp"
#include "base/error.hpp"

namespace stowage {

/// Throws InputError at the place of what is wrong: no JSON (file:line:column), nested deeper than 64 levels, a key
/// that comes twice, a number beyond doubles, more than 32 Mi values. `whole` says what should stand there, for the
/// message: "a probe file". Lines count from `first_line`.
[[nodiscard]] nlohmann::ordered_json parse_json(std::string_view text, const std::string& file, std::string_view whole,
                                                int first_line = 1);

/// A value of a JSON document, or a place where none is. A getter that does not find what it was asked for records one
/// problem and returns its fallback, so that readers run straight through; Problems::throw_if_any() then tells all.
/// What is below a value that was complained about is silent. Cheap to copy; the document must outlive it.
class JsonReader {
 public:
  /// The root of `document`. `line`: where it stands, of a file with one object a line (0 = the file is one document).
  JsonReader(const nlohmann::ordered_json& document, std::string file, Problems& problems, int line = 0);

  explicit operator bool() const { return value_ != nullptr; }
  /// Whether the key of an object is there and not null.
  [[nodiscard]] bool has(std::string_view key) const;
  /// The value of a key, which must be there.
  [[nodiscard]] JsonReader operator[](std::string_view key) const;
  /// The value of a key; nothing, without a complaint, when it is absent or null.
  [[nodiscard]] JsonReader find(std::string_view key) const;
  /// The first of these keys that is there; a complaint names the first when none is.
  [[nodiscard]] JsonReader first_of(std::span<const std::string_view> keys) const;
  /// The value at a place of a list, which must be there.
  [[nodiscard]] JsonReader operator[](std::size_t i) const;
  [[nodiscard]] std::vector<JsonReader> items() const;                              // of a list
  [[nodiscard]] std::vector<std::pair<std::string, JsonReader>> entries() const;    // of an object, in file order

  /// Records a problem for every key of an object that is not one of these.
  void only(std::span<const std::string_view> known) const;

  [[nodiscard]] std::string text(const std::string& fallback = "") const;
  [[nodiscard]] bool flag(bool fallback = false) const;
  /// Whole and finite, within [min, max].
  [[nodiscard]] std::int64_t integer(std::int64_t min, std::int64_t max, std::int64_t fallback = 0) const;
  [[nodiscard]] double number(double min, double max, double fallback = 0) const;
  [[nodiscard]] std::vector<double> numbers(double min, double max) const;  // of a list

  [[nodiscard]] bool is_text() const;
  [[nodiscard]] bool is_number() const;
  [[nodiscard]] bool is_whole() const;
  [[nodiscard]] bool is_flag() const;
  [[nodiscard]] bool is_list() const;
  [[nodiscard]] bool is_object() const;
  [[nodiscard]] const nlohmann::ordered_json& raw() const;  // null when there is nothing

  /// "/runs/0/name"; "" for the root.
  [[nodiscard]] std::string pointer() const { return pointer_; }
  /// Records what is wrong with this value: "file: error: /runs/0/name: what".
  void problem(const std::string& what) const;

 private:
  struct Document {
    std::string file;
    int line;
    Problems& problems;
  };
  JsonReader(const nlohmann::ordered_json* value, std::shared_ptr<const Document> document, std::string pointer)
      : value_(value), document_(std::move(document)), pointer_(std::move(pointer)) {}
  [[nodiscard]] JsonReader nothing(const std::string& pointer) const { return {nullptr, document_, pointer}; }
  [[nodiscard]] std::string pointer_of(std::string_view key) const;
  [[nodiscard]] const nlohmann::ordered_json* at(std::string_view key) const;
  void wrong(std::string_view wanted) const;  // "must be <wanted>, not <this value>"

  const nlohmann::ordered_json* value_;
  std::shared_ptr<const Document> document_;
  std::string pointer_;
};
}  // namespace stowage
