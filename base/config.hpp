#pragma once
// Reads YAML into typed structs. Every key must be asked for, every value is checked where it is read, and all
// problems of a file are collected and thrown together, each with file:line:column. No yaml-cpp type leaks out.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/units.hpp"

namespace stowage {

/// Collects what is wrong so that one run reports everything.
class Problems {
 public:
  void add(SourcePos at, std::string message);
  [[nodiscard]] bool empty() const { return list_.empty(); }
  [[nodiscard]] const std::vector<Problem>& list() const { return list_; }
  static constexpr std::size_t told_max = 100;
  /// Throws InputError with the first told_max of what was collected, in order of position, and how many more there
  /// are; does nothing when empty.
  void throw_if_any() const;

 private:
  std::vector<Problem> list_;
};

/// A value in a YAML document: cheap to copy, keeps the document alive. A missing value has kind `missing`.
class ConfigNode {
 public:
  enum class Kind : std::uint8_t { missing, null, scalar, list, map };
  ConfigNode() = default;
  [[nodiscard]] Kind kind() const;
  explicit operator bool() const { return kind() != Kind::missing; }
  [[nodiscard]] const std::string& text() const;         // of a scalar
  [[nodiscard]] SourcePos at() const;                    // of the value
  [[nodiscard]] const std::string& path() const;         // "memory.kv_pool", "managers[1].page"; "" for the root
  [[nodiscard]] std::size_t size() const;                // of a list or map
  [[nodiscard]] ConfigNode operator[](std::size_t i) const;       // of a list
  [[nodiscard]] ConfigNode get(std::string_view key) const;       // of a map; missing when absent
  [[nodiscard]] bool has(std::string_view key) const;             // of a map
  [[nodiscard]] std::vector<std::pair<std::string, ConfigNode>> entries() const;  // of a map, in file order
  [[nodiscard]] std::vector<std::pair<std::string, SourcePos>> keys() const;      // of a map: where each key stands
  /// Of a map: keys that --set took away though they were not there. Whoever knows the keys says which are none.
  [[nodiscard]] std::vector<std::pair<std::string, SourcePos>> removed() const;
  [[nodiscard]] ConfigNode with_text(std::string text) const;  // a scalar in the same place that says something else

  struct Data;
  explicit ConfigNode(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  [[nodiscard]] const Data& data() const { return *data_; }  // for base/; of a value that is there

 private:
  std::shared_ptr<const Data> data_;
};

/// The value in one line of YAML, as --set takes it back: "16", "{kind: paged, block_size: 16}", "\"a: b\"".
[[nodiscard]] std::string flow_text(const ConfigNode& node);
/// Any text as a YAML scalar in double quotes.
[[nodiscard]] std::string yaml_quoted(std::string_view text);

class ConfigDocument {
 public:
  /// Throws InputError on a syntax error (tabs get a hint), duplicate keys, merge keys (<<) and aliases.
  [[nodiscard]] static ConfigDocument parse(std::string_view text, std::string file);
  [[nodiscard]] static ConfigDocument load(const std::string& path);
  /// One value as typed on a command line; its position is `place`. Throws InputError when YAML would read it as less
  /// than was typed: a comment ("#5"), a directive ("%x"), "---", "!", "&a", nothing ("null").
  [[nodiscard]] static ConfigNode typed(std::string_view text, const std::string& place);
  /// `--set a.b[0].c=value`: replaces or adds, an empty value removes the key; positions of errors then read
  /// "--set #n". Nodes handed out earlier stay as they were. Throws InputError.
  void set(std::string_view assignment, int ordinal);
  /// What stands at a path as --set takes it; missing where there is nothing. Throws InputError when it is no path.
  [[nodiscard]] ConfigNode find(std::string_view path) const;
  /// The same with a value of another document, which keeps its position for messages. `at`: of the path.
  void put(std::string_view path, const ConfigNode& value, const SourcePos& at);
  /// A part of a document as a document of its own: paths start there, positions stay.
  [[nodiscard]] static ConfigDocument part(const ConfigNode& node, std::string file);
  [[nodiscard]] ConfigNode root() const;
  [[nodiscard]] const std::string& file() const;

 private:
  std::shared_ptr<ConfigNode::Data> root_;
  std::string file_;
};

/// Reads one YAML map. Each reader records a problem and returns the fallback (or a zero) when the value is missing,
/// has the wrong form, no unit, or lies outside [min, max]; without a fallback the key is required.
class MapReader {
 public:
  MapReader(ConfigNode map, Problems& problems);

  [[nodiscard]] bool has(std::string_view key) const;
  /// "memory.kv_pool", for messages.
  [[nodiscard]] std::string path_of(std::string_view key) const;
  /// The raw value, marked as known (for nested maps and lists).
  [[nodiscard]] ConfigNode node(std::string_view key, bool required = false);

  [[nodiscard]] std::string text(std::string_view key, const std::optional<std::string>& fallback = {});
  [[nodiscard]] bool flag(std::string_view key, std::optional<bool> fallback = {});
  /// Whole numbers: counts and tokens ("8192", "8k" = 8000, "8Ki" = 8192).
  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t min, std::int64_t max,
                                     std::optional<std::int64_t> fallback = {});
  /// A dimensionless number; `percent` allows "90%" for 0.9.
  [[nodiscard]] double number(std::string_view key, double min, double max, std::optional<double> fallback = {});
  [[nodiscard]] Bytes bytes(std::string_view key, std::optional<Bytes> fallback = {});
  [[nodiscard]] double duration_ns(std::string_view key, std::optional<double> fallback = {});
  [[nodiscard]] double rate_per_s(std::string_view key, std::optional<double> fallback = {});        // "5/s", "300/min"
  [[nodiscard]] double bytes_per_s(std::string_view key, std::optional<double> fallback = {});       // "3.35TB/s"
  [[nodiscard]] double flop_per_s(std::string_view key, std::optional<double> fallback = {});        // "989TFLOP/s"
  /// Index into `names`; an unknown name gets "did you mean".
  [[nodiscard]] std::size_t choice(std::string_view key, std::span<const std::string_view> names,
                                   std::optional<std::size_t> fallback = {});
  /// Records a problem at this key's value (or at the map when the key is absent).
  void problem(std::string_view key, std::string message);
  /// Reports every key nobody asked for, with the nearest known one. Call last.
  void finish();

 private:
  ConfigNode take(std::string_view key, bool required);
  ConfigNode map_;
  Problems& problems_;
  std::vector<std::string> known_;
};

// --- One value. nullopt when it is missing, or wrong, which is then reported.
[[nodiscard]] std::optional<std::string> read_text(const ConfigNode& node, Problems& problems);
[[nodiscard]] std::optional<bool> read_flag(const ConfigNode& node, Problems& problems);
[[nodiscard]] std::optional<std::int64_t> read_integer(const ConfigNode& node, std::int64_t min, std::int64_t max,
                                                       Problems& problems);
[[nodiscard]] std::optional<double> read_number(const ConfigNode& node, double min, double max, Problems& problems);
[[nodiscard]] std::optional<Bytes> read_bytes(const ConfigNode& node, Problems& problems);
[[nodiscard]] std::optional<double> read_duration_ns(const ConfigNode& node, Problems& problems);
[[nodiscard]] std::optional<double> read_rate_per_s(const ConfigNode& node, Problems& problems);
[[nodiscard]] std::optional<std::size_t> read_choice(const ConfigNode& node, std::span<const std::string_view> names,
                                                     Problems& problems);
/// "unknown key 'x' in 'memory'; did you mean 'y'?" `others`: names that are right, though not the first to suggest.
[[nodiscard]] std::string unknown_key(const ConfigNode& map, std::string_view key,
                                      std::span<const std::string_view> names,
                                      std::span<const std::string_view> others);

// --- One parser for quantities, shared by YAML, --set and flags. nullopt = not of this form (a bare number is not).
[[nodiscard]] std::optional<Bytes> parse_bytes(std::string_view text);            // 80GiB 2MiB 123B 80GB 1.5GiB
[[nodiscard]] std::optional<double> parse_duration_ns(std::string_view text);     // 30us 123ns 10ms 1s 5min 2h 1d
[[nodiscard]] std::optional<double> parse_rate_per_s(std::string_view text);      // 5/s 300/min 20/h
[[nodiscard]] std::optional<double> parse_bytes_per_s(std::string_view text);     // 3.35TB/s 900GB/s 64GiB/s
[[nodiscard]] std::optional<double> parse_flop_per_s(std::string_view text);      // 989TFLOP/s 1.9PFLOP/s
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);   // 8192 8k 8Ki
[[nodiscard]] std::optional<double> parse_number(std::string_view text);          // 0.9 90% -2 1e-3
/// The largest unit that reads well: "1.5s", "10ms", "38us"; parse_duration_ns(format_duration(x)) == x for x >= 0.
[[nodiscard]] std::string format_duration(double ns);
/// "2MiB", "64KiB", "123B": the shortest exact binary form, so that parse_bytes(format_bytes(x)) == x.
[[nodiscard]] std::string format_bytes(Bytes value);
/// The user's text made safe for one line of a message: control characters shown, long text cut.
[[nodiscard]] std::string shown(std::string_view text);
/// "; did you mean 'x'?" or "" when nothing is near.
[[nodiscard]] std::string did_you_mean(std::string_view wrong, std::span<const std::string_view> names);
}  // namespace stowage
