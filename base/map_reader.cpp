// Typed reading of one YAML map, and the collection of what is wrong with it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_set>

#include "base/config.hpp"
#include "base/config_data.hpp"

namespace stowage {
namespace {
using Kind = ConfigNode::Kind;

/// Lower case, '_' as '-': "KV_Pool" is near "kv-pool".
std::string folded(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
  }
  return out;
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> two_above(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    two_above.swap(above);
    above.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], two_above[j - 2] + 1);
    }
  }
  return row.back();
}

/// What was given instead of a scalar, for "must be ...".
std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::list:
      return "a list";
    case Kind::map:
      return "a map";
    case Kind::null:
      return "nothing";
    default:
      return "text";
  }
}

/// 17 digits at most, no trailing zeros: "0.9", "1e+15".
std::string plain(double x) { return fmt::format("{}", x); }

std::string range_text(std::int64_t min, std::int64_t max) {
  if (max == std::numeric_limits<std::int64_t>::max()) return fmt::format("of at least {}", min);
  return fmt::format("from {} to {}", min, max);
}

std::string range_text(double min, double max) {
  if (std::isinf(max)) return fmt::format("of at least {}", plain(min));
  return fmt::format("from {} to {}", plain(min), plain(max));
}
}  // namespace

std::string shown(std::string_view text) {
  constexpr std::size_t length_max = 80;
  if (text.size() <= length_max) return visible(text);
  std::size_t end = length_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not in the middle of a character
  return visible(text.substr(0, end)) + "...";
}

std::string did_you_mean(std::string_view wrong, std::span<const std::string_view> names) {
  if (wrong.empty() || wrong.size() > 64) return "";
  const std::string asked = folded(wrong);
  std::string_view best;
  std::size_t best_distance = asked.size() <= 4 ? 2 : asked.size() <= 8 ? 3 : 4;  // one more than may differ
  for (const auto name : names) {
    const std::string known = folded(name);
    std::size_t distance = edit_distance(asked, known);
    // A cut-off or over-long form of a name counts as near: "util" for "utilization".
    if (asked.size() >= 3 && known.starts_with(asked)) distance = std::min<std::size_t>(distance, 1);
    if (distance < best_distance) {
      best_distance = distance;
      best = name;
    }
  }
  return best.empty() ? "" : fmt::format("; did you mean '{}'?", best);
}

void Problems::add(SourcePos at, std::string message) { list_.push_back({std::move(at), std::move(message)}); }

void Problems::throw_if_any() const {
  if (list_.empty()) return;
  // Files in the order they were first complained about, positions within a file ascending.
  std::vector<std::string_view> files;
  const auto rank = [&](const Problem& p) {
    const auto it = std::find(files.begin(), files.end(), p.at.file);
    return it - files.begin();
  };
  for (const auto& p : list_)
    if (rank(p) == static_cast<std::ptrdiff_t>(files.size())) files.push_back(p.at.file);
  std::vector<Problem> sorted = list_;
  std::stable_sort(sorted.begin(), sorted.end(), [&](const Problem& a, const Problem& b) {
    return std::make_tuple(rank(a), a.at.line, a.at.column) < std::make_tuple(rank(b), b.at.line, b.at.column);
  });
  const auto same = [](const Problem& a, const Problem& b) { return a.str() == b.str(); };
  sorted.erase(std::unique(sorted.begin(), sorted.end(), same), sorted.end());
  if (sorted.size() > told_max) {
    const std::size_t more = sorted.size() - told_max;
    sorted.resize(told_max);
    sorted.push_back({{sorted.back().at.file, 0, 0}, fmt::format("and {} more", more)});
  }
  throw InputError(std::move(sorted));
}

MapReader::MapReader(ConfigNode map, Problems& problems) : map_(std::move(map)), problems_(problems) {
  if (map_.kind() == Kind::scalar || map_.kind() == Kind::list) {
    const std::string what = map_.path().empty() ? "the file" : fmt::format("'{}'", shown(map_.path()));
    problems_.add(map_.at(), fmt::format("{} must be a map (key: value), not {}", what, kind_name(map_.kind())));
  }
}

bool MapReader::has(std::string_view key) const { return map_.has(key); }

std::string MapReader::path_of(std::string_view key) const { return map_.get(key).path(); }

ConfigNode MapReader::node(std::string_view key, bool required) { return take(key, required); }

ConfigNode MapReader::take(std::string_view key, bool required) {
  known_.emplace_back(key);
  ConfigNode value = map_.get(key);
  // Something that is not a map at all was reported once already.
  const bool is_map = map_.kind() != Kind::scalar && map_.kind() != Kind::list;
  if (!value && required && is_map) problems_.add(map_.at(), fmt::format("'{}' is missing", shown(value.path())));
  return value;
}

namespace {
/// Reads a scalar with `parse`; records "'path': 'text' is not <what>; write <how>" when it fails.
template <class Parse>
auto scalar(const ConfigNode& node, Problems& problems, std::string_view what, std::string_view how, Parse parse)
    -> decltype(parse(std::string())) {
  if (!node) return std::nullopt;
  if (node.kind() == Kind::scalar) {
    if (auto value = parse(node.text())) return value;
    problems.add(node.at(), fmt::format("'{}': '{}' is not {}; {}", shown(node.path()), shown(node.text()), what, how));
  } else {
    problems.add(node.at(),
                 fmt::format("'{}' must be {}, not {}; {}", shown(node.path()), what, kind_name(node.kind()), how));
  }
  return std::nullopt;
}

/// A scalar that must also lie in [min, max].
template <class T, class Parse>
std::optional<T> ranged(const ConfigNode& node, Problems& problems, T min, T max, std::string_view what, Parse parse) {
  const std::optional<T> value = node.kind() == Kind::scalar ? parse(node.text()) : std::nullopt;
  if (!value) return scalar(node, problems, what, fmt::format("write one {}", range_text(min, max)), parse);
  if (*value >= min && *value <= max) return value;
  problems.add(node.at(), fmt::format("'{}': {} is out of range; write {} {}", shown(node.path()), shown(node.text()),
                                      what, range_text(min, max)));
  return std::nullopt;
}
}  // namespace

std::optional<std::string> read_text(const ConfigNode& node, Problems& problems) {
  return scalar(node, problems, "text", "write one word or a quoted text",
                [](const std::string& s) { return s.empty() ? std::nullopt : std::optional(s); });
}

std::optional<bool> read_flag(const ConfigNode& node, Problems& problems) {
  return scalar(node, problems, "a yes or no", "write true or false", [](const std::string& s) -> std::optional<bool> {
    if (s == "true") return true;
    if (s == "false") return false;
    return std::nullopt;
  });
}

std::optional<std::int64_t> read_integer(const ConfigNode& node, std::int64_t min, std::int64_t max,
                                         Problems& problems) {
  return ranged(node, problems, min, max, "a whole number", parse_integer);
}

std::optional<double> read_number(const ConfigNode& node, double min, double max, Problems& problems) {
  return ranged(node, problems, min, max, "a number", parse_number);
}

std::optional<Bytes> read_bytes(const ConfigNode& node, Problems& problems) {
  return scalar(node, problems, "a size", "write a number and a unit, as 80GiB or 80GB", parse_bytes);
}

std::optional<double> read_duration_ns(const ConfigNode& node, Problems& problems) {
  return scalar(node, problems, "a duration", "write a number and a unit, as 30us, 10ms or 5s", parse_duration_ns);
}

std::optional<double> read_rate_per_s(const ConfigNode& node, Problems& problems) {
  return scalar(node, problems, "a rate", "write a number and a unit, as 5/s or 300/min", parse_rate_per_s);
}

std::optional<std::size_t> read_choice(const ConfigNode& node, std::span<const std::string_view> names,
                                       Problems& problems) {
  if (!node) return std::nullopt;
  if (node.kind() == Kind::scalar) {
    const auto it = std::find(names.begin(), names.end(), node.text());
    if (it != names.end()) return static_cast<std::size_t>(it - names.begin());
    problems.add(node.at(), fmt::format("'{}': no '{}'{} (known: {})", shown(node.path()), shown(node.text()),
                                        did_you_mean(node.text(), names), fmt::join(names, ", ")));
  } else {
    problems.add(node.at(), fmt::format("'{}' must be one of {}, not {}", shown(node.path()), fmt::join(names, ", "),
                                        kind_name(node.kind())));
  }
  return std::nullopt;
}

std::string MapReader::text(std::string_view key, const std::optional<std::string>& fallback) {
  return read_text(take(key, !fallback), problems_).value_or(fallback.value_or(""));
}

bool MapReader::flag(std::string_view key, std::optional<bool> fallback) {
  return read_flag(take(key, !fallback), problems_).value_or(fallback.value_or(false));
}

std::int64_t MapReader::integer(std::string_view key, std::int64_t min, std::int64_t max,
                                std::optional<std::int64_t> fallback) {
  return read_integer(take(key, !fallback), min, max, problems_).value_or(fallback.value_or(min));
}

double MapReader::number(std::string_view key, double min, double max, std::optional<double> fallback) {
  return read_number(take(key, !fallback), min, max, problems_).value_or(fallback.value_or(min));
}

Bytes MapReader::bytes(std::string_view key, std::optional<Bytes> fallback) {
  return read_bytes(take(key, !fallback), problems_).value_or(fallback.value_or(Bytes{}));
}

double MapReader::duration_ns(std::string_view key, std::optional<double> fallback) {
  return read_duration_ns(take(key, !fallback), problems_).value_or(fallback.value_or(0));
}

double MapReader::rate_per_s(std::string_view key, std::optional<double> fallback) {
  return read_rate_per_s(take(key, !fallback), problems_).value_or(fallback.value_or(0));
}

double MapReader::bytes_per_s(std::string_view key, std::optional<double> fallback) {
  return scalar(take(key, !fallback), problems_, "a bandwidth", "write a number and a unit, as 3.35TB/s or 900GB/s",
                parse_bytes_per_s)
      .value_or(fallback.value_or(0));
}

double MapReader::flop_per_s(std::string_view key, std::optional<double> fallback) {
  return scalar(take(key, !fallback), problems_, "a compute rate", "write a number and a unit, as 989TFLOP/s",
                parse_flop_per_s)
      .value_or(fallback.value_or(0));
}

std::size_t MapReader::choice(std::string_view key, std::span<const std::string_view> names,
                              std::optional<std::size_t> fallback) {
  return read_choice(take(key, !fallback), names, problems_).value_or(fallback.value_or(0));
}

void MapReader::problem(std::string_view key, std::string message) {
  problems_.add(map_.get(key).at(), std::move(message));
}

void MapReader::finish() {
  std::vector<std::string_view> names;  // each once, however often it was asked for
  std::unordered_set<std::string_view> known;
  for (const auto& name : known_)
    if (known.insert(name).second) names.push_back(name);
  auto keys = map_.keys();
  for (auto& key : map_.removed()) keys.push_back(std::move(key));
  for (const auto& [key, at] : keys) {
    if (known.contains(key)) continue;
    const bool told = problems_.list().size() < Problems::told_max;  // else no need of its words
    problems_.add(at, told ? unknown_key(map_, key, names, {}) : "unknown key");
  }
}

std::string unknown_key(const ConfigNode& map, std::string_view key, std::span<const std::string_view> names,
                        std::span<const std::string_view> others) {
  const std::string where = map.path().empty() ? "" : fmt::format(" in '{}'", shown(map.path()));
  std::string hint = did_you_mean(key, names);
  if (hint.empty()) hint = did_you_mean(key, others);
  if (hint.empty()) hint = fmt::format("; remove it (known: {})", fmt::join(names, ", "));
  return fmt::format("unknown key '{}'{}{}", shown(key), where, hint);
}
}  // namespace stowage
