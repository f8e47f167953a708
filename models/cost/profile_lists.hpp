#pragma once
// Lists of scalars in a profile's YAML, read and checked one by one. Implementation of profile_read.cpp.
#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.hpp"

namespace stowage::detail {

class Lists {
 public:
  explicit Lists(Problems& problems) : problems_(problems) {}

  std::vector<double> durations(const ConfigNode& list) const {
    return read(list, "a duration; write a number and a unit, as 30us", parse_duration_ns);
  }
  std::vector<double> sizes(const ConfigNode& list) const {
    return read(list, "a size; write a number and a unit, as 2MiB", [](std::string_view text) -> std::optional<double> {
      const auto bytes = parse_bytes(text);
      return bytes ? std::optional(static_cast<double>(bytes->count())) : std::nullopt;
    });
  }
  std::vector<double> counts(const ConfigNode& list) const {
    return read(list, "a whole number", [](std::string_view text) -> std::optional<double> {
      const auto count = parse_integer(text);
      return count ? std::optional(static_cast<double>(*count)) : std::nullopt;
    });
  }
  std::vector<double> ratios(const ConfigNode& list) const { return read(list, "a number", parse_number); }

  /// Greater than zero, each greater than the one before.
  void ascending(const ConfigNode& list, const std::vector<double>& values, double low = 0) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i == 0 ? values[0] < low : values[i] <= values[i - 1]) {
        add(list, i,
            fmt::format("'{}': must ascend{}", list[i].path(), low > 0 ? fmt::format(" from {} up", low) : ""));
        return;
      }
    }
  }
  /// A price never falls as its size grows.
  void never_falling(const ConfigNode& list, const std::vector<double>& values) const {
    for (std::size_t i = 1; i < values.size(); ++i) {
      if (values[i] >= values[i - 1]) continue;
      add(list, i,
          fmt::format("'{}': {} is less than the {} before it; a larger size cannot take less time", list[i].path(),
                      format_duration(values[i]), format_duration(values[i - 1])));
      return;
    }
  }
  void positive(const ConfigNode& list, const std::vector<double>& values, double high) const {
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!(values[i] > 0 && values[i] <= high))
        add(list, i, fmt::format("'{}': must be greater than 0 and at most {}", list[i].path(), high));
  }
  void same_length(const ConfigNode& list, std::size_t found, std::size_t wanted) const {
    if (list.kind() == ConfigNode::Kind::list && found != wanted)
      problems_.add(list.at(), fmt::format("'{}' has {} entries, its grid has {}", list.path(), found, wanted));
  }

 private:
  static constexpr std::size_t entries_max = 100'000;  // of one list: more is no profile
  template <class Parse>
  std::vector<double> read(const ConfigNode& list, std::string_view what, Parse parse) const {
    std::vector<double> values;
    if (!list) return values;  // reported as missing by the map's reader
    if (list.kind() != ConfigNode::Kind::list || list.size() == 0 || list.size() > entries_max) {
      problems_.add(list.at(), fmt::format("'{}' must be a list [a, b, …]", list.path()));
      return values;
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
      const ConfigNode item = list[i];
      const bool scalar = item.kind() == ConfigNode::Kind::scalar;
      const std::optional<double> value = scalar ? parse(item.text()) : std::nullopt;
      if (!value || !std::isfinite(*value) || *value < 0)
        problems_.add(item.at(), fmt::format("'{}': '{}' is not {} of at least 0", item.path(),
                                             scalar ? shown(item.text()) : "a list or map", what));
      values.push_back(value.value_or(0));
    }
    return values;
  }
  void add(const ConfigNode& list, std::size_t i, std::string message) const {
    problems_.add(list[i].at(), std::move(message));
  }
  Problems& problems_;
};
}  // namespace stowage::detail
