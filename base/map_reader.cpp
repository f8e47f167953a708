// Typed reading of one YAML map, and the collection of what is wrong with it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

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
  std::string out;
  for (const char c : text.substr(0, length_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  if (text.size() > length_max) {
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80) out.pop_back();  // half a character
    out += "...";
  }
  return out;
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
  throw InputError(std::move(sorted));
}

MapReader::MapReader(ConfigNode map, Problems& problems) : map_(std::move(map)), problems_(problems) {
  if (map_.kind() == Kind::scalar || map_.kind() == Kind::list) {
    const std::string what = map_.path().empty() ? "the file" : fmt::format("'{}'", shown(map_.path()));
    problems_.add(map_.at(), fmt::format("{} must be a map (key: value), not {}", what, kind_name(map_.kind())));
  }
}

bool MapReader::has(std::string_view key) const { return static_cast<bool>(map_.get(written(key))); }

std::string MapReader::path_of(std::string_view key) const { return map_.get(written(key)).path(); }

void MapReader::alias(std::string_view key, std::string_view other) {
  others_.emplace_back(other);
  const ConfigNode given = map_.get(other);
  if (!given) return;
  known_.emplace_back(other);
  if (has(key))
    problems_.add(given.at(), fmt::format("'{}' says the same as '{}'; remove one of them", shown(given.path()),
                                          shown(path_of(key))));
  else
    aliases_.emplace_back(key, other);
}

std::string_view MapReader::written(std::string_view key) const {
  for (const auto& [known, other] : aliases_)
    if (known == key) return other;
  return key;
}

ConfigNode MapReader::node(std::string_view key, bool required) { return take(key, required); }

ConfigNode MapReader::take(std::string_view key, bool required) {
  known_.emplace_back(key);
  ConfigNode value = map_.get(written(key));
  // Something that is not a map at all was reported once already.
  const bool is_map = map_.kind() != Kind::scalar && map_.kind() != Kind::list;
  if (!value && required && is_map) problems_.add(map_.at(), fmt::format("'{}' is missing", shown(value.path())));
  return value;
}

namespace {
/// Reads a scalar with `parse`; records "'path': 'text' is not <what>; write <how>" when it fails.
template <class T, class Parse>
T scalar(const ConfigNode& node, Problems& problems, const std::optional<T>& fallback, std::string_view what,
         std::string_view how, Parse parse) {
  if (!node) return fallback.value_or(T{});
  if (node.kind() == Kind::scalar) {
    if (std::optional<T> value = parse(node.text())) return *std::move(value);
    problems.add(node.at(), fmt::format("'{}': '{}' is not {}; {}", shown(node.path()), shown(node.text()), what, how));
  } else {
    problems.add(node.at(),
                 fmt::format("'{}' must be {}, not {}; {}", shown(node.path()), what, kind_name(node.kind()), how));
  }
  return fallback.value_or(T{});
}
}  // namespace

std::string MapReader::text(std::string_view key, const std::optional<std::string>& fallback) {
  return scalar(take(key, !fallback), problems_, fallback, "text", "write one word or a quoted text",
                [](const std::string& s) { return s.empty() ? std::nullopt : std::optional(s); });
}

bool MapReader::flag(std::string_view key, std::optional<bool> fallback) {
  return scalar(take(key, !fallback), problems_, fallback, "a yes or no", "write true or false",
                [](const std::string& s) -> std::optional<bool> {
                  if (s == "true") return true;
                  if (s == "false") return false;
                  return std::nullopt;
                });
}

namespace {
/// A scalar that must also lie in [min, max]; min itself when there is nothing better to go on with.
template <class T, class Parse>
T ranged(const ConfigNode& value, Problems& problems, const std::optional<T>& fallback, T min, T max,
         std::string_view what, Parse parse) {
  const T otherwise = fallback.value_or(min);
  return scalar(value, problems, std::optional(otherwise), what, fmt::format("write one {}", range_text(min, max)),
                [&](const std::string& s) -> std::optional<T> {
                  const std::optional<T> parsed = parse(s);
                  if (!parsed || (*parsed >= min && *parsed <= max)) return parsed;
                  problems.add(value.at(), fmt::format("'{}': {} is out of range; write {} {}", shown(value.path()),
                                                       shown(s), what, range_text(min, max)));
                  return otherwise;
                });
}
}  // namespace

std::int64_t MapReader::integer(std::string_view key, std::int64_t min, std::int64_t max,
                                std::optional<std::int64_t> fallback) {
  return ranged(take(key, !fallback), problems_, fallback, min, max, "a whole number", parse_integer);
}

double MapReader::number(std::string_view key, double min, double max, std::optional<double> fallback) {
  return ranged(take(key, !fallback), problems_, fallback, min, max, "a number", parse_number);
}

Bytes MapReader::bytes(std::string_view key, std::optional<Bytes> fallback) {
  return scalar(take(key, !fallback), problems_, fallback, "a size", "write a number and a unit, as 80GiB or 80GB",
                parse_bytes);
}

double MapReader::duration_ns(std::string_view key, std::optional<double> fallback) {
  return scalar(take(key, !fallback), problems_, fallback, "a duration",
                "write a number and a unit, as 30us, 10ms or 5s", parse_duration_ns);
}

double MapReader::rate_per_s(std::string_view key, std::optional<double> fallback) {
  return scalar(take(key, !fallback), problems_, fallback, "a rate", "write a number and a unit, as 5/s or 300/min",
                parse_rate_per_s);
}

double MapReader::bytes_per_s(std::string_view key, std::optional<double> fallback) {
  return scalar(take(key, !fallback), problems_, fallback, "a bandwidth",
                "write a number and a unit, as 3.35TB/s or 900GB/s", parse_bytes_per_s);
}

double MapReader::flop_per_s(std::string_view key, std::optional<double> fallback) {
  return scalar(take(key, !fallback), problems_, fallback, "a compute rate", "write a number and a unit, as 989TFLOP/s",
                parse_flop_per_s);
}

std::size_t MapReader::choice(std::string_view key, std::span<const std::string_view> names,
                              std::optional<std::size_t> fallback) {
  const ConfigNode value = take(key, !fallback);
  if (!value) return fallback.value_or(0);
  if (value.kind() == Kind::scalar) {
    const auto it = std::find(names.begin(), names.end(), value.text());
    if (it != names.end()) return static_cast<std::size_t>(it - names.begin());
    problems_.add(value.at(), fmt::format("'{}': no '{}'{} (known: {})", shown(value.path()), shown(value.text()),
                                          did_you_mean(value.text(), names), fmt::join(names, ", ")));
  } else {
    problems_.add(value.at(), fmt::format("'{}' must be one of {}, not {}", shown(value.path()), fmt::join(names, ", "),
                                          kind_name(value.kind())));
  }
  return fallback.value_or(0);
}

void MapReader::problem(std::string_view key, std::string message) {
  problems_.add(map_.get(written(key)).at(), std::move(message));
}

void MapReader::finish() {
  std::vector<std::string_view> names;  // each once, however often it was asked for
  const auto known = [&](std::string_view key) { return std::find(names.begin(), names.end(), key) != names.end(); };
  for (const auto& name : known_)
    if (!known(name)) names.push_back(name);
  auto keys = map_.keys();
  if (map_)
    for (const auto& [key, at] : map_.data().removed)
      if (map_.data().find(key) == nullptr && std::find(others_.begin(), others_.end(), key) == others_.end())
        keys.emplace_back(key, at);
  for (const auto& [key, at] : keys) {
    if (known(key)) continue;
    const std::string where = map_.path().empty() ? "" : fmt::format(" in '{}'", shown(map_.path()));
    std::string hint = did_you_mean(key, names);
    if (hint.empty()) hint = did_you_mean(key, std::vector<std::string_view>(others_.begin(), others_.end()));
    if (hint.empty()) hint = fmt::format("; remove it (known: {})", fmt::join(names, ", "));
    problems_.add(at, fmt::format("unknown key '{}'{}{}", shown(key), where, hint));
  }
}
}  // namespace stowage
