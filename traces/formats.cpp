#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/config.hpp"
#include "base/error.hpp"
#include "traces/csv.hpp"
#include "traces/format.hpp"

namespace stowage {
namespace {
constexpr std::size_t header_bytes_max = std::size_t{64} << 10;
constexpr std::array<const TraceFormat*, 3> formats = {&azure_format, &canonical_format, &mooncake_format};

bool is_json(std::string_view line) { return line.starts_with('{'); }
/// Of the tables with a header line.
std::vector<std::string_view> columns_of(const TraceFormat& format) {
  return is_json(format.header) ? std::vector<std::string_view>() : csv::header_names(format.header);
}

/// "; it lacks 'GeneratedTokens' of azure; did you mean ...": the nearest known header, or "".
std::string nearest(const std::vector<std::string_view>& names) {
  const TraceFormat* best = nullptr;
  std::ptrdiff_t best_shared = 0;
  const auto has = [&names](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const TraceFormat* format : formats) {
    const auto wanted = columns_of(*format);
    const auto shared = std::count_if(wanted.begin(), wanted.end(), has);
    if (shared > best_shared) best = format, best_shared = shared;
  }
  if (best == nullptr) {
    std::vector<std::string_view> known;
    for (const TraceFormat* format : formats) {
      const auto wanted = columns_of(*format);
      known.insert(known.end(), wanted.begin(), wanted.end());
    }
    for (const auto name : names) {
      if (const std::string hint = did_you_mean(name, known); !hint.empty()) {
        return fmt::format("; for '{}'{}", csv::shown(name), hint.substr(1));
      }
    }
    return {};
  }
  for (const auto name : columns_of(*best)) {
    if (!has(name)) {
      return fmt::format("; for {} the column '{}' is missing{}", best->name, name, did_you_mean(name, names));
    }
  }
  return fmt::format("; for {} a column is named twice", best->name);
}
}  // namespace

std::span<const TraceFormat* const> trace_formats() { return formats; }

const TraceFormat& detect_format(std::string_view text, const std::string& file) {
  if (text.empty()) throw InputError({file}, "the file is empty; a trace has a header line and a row a request");
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    throw InputError({file, 1, 1}, "this is UTF-16 text; convert it: `iconv -f UTF-16 -t UTF-8`");
  }
  const std::string_view first = csv::first_line(text);
  if (first.size() > header_bytes_max && !is_json(first))
    throw InputError({file, 1, 1}, fmt::format("the first line has more than {} KiB; a trace begins with a header line",
                                               header_bytes_max >> 10));
  for (const TraceFormat* format : formats) {
    if (format->matches(first)) return *format;
  }
  std::string known;
  for (const TraceFormat* format : formats) {
    known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", format->name, format->header);
  }
  if (!first.empty() && first.front() >= '0' && first.front() <= '9') {
    throw InputError({file, 1, 1}, fmt::format("the first line '{}' is data, not a header; add one of: {}",
                                               csv::shown(first), known));
  }
  if (is_json(first)) {
    throw InputError({file, 1, 1}, fmt::format("a JSON row with these keys ('{}') is no known trace; known: {}",
                                               csv::shown(first), known));
  }
  throw InputError({file, 1, 1}, fmt::format("'{}' is no known trace header{}; known: {}", csv::shown(first),
                                             nearest(csv::header_names(first)), known));
}
}  // namespace stowage
