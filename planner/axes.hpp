#pragma once
// The space of a study: some paths of a scenario, each with the values it takes. Points are numbered in row-major
// order, the last axis fastest, so that a point's number alone says what it is, on any machine.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.hpp"

namespace stowage {

struct AxisValue {
  std::string text;  // as --set takes it: "16", "{kind: paged, block_size: 16}"
  ConfigNode node;   // knows its position
};

struct Axis {
  std::string path;  // "cluster.tensor", "managers[0].page"
  SourcePos at;
  std::vector<AxisValue> values;  // not empty, all different
};

/// `space:` of a study: each key a path, each value a list, a range or a single value. Problems are collected.
[[nodiscard]] std::vector<Axis> read_space(const ConfigNode& node, Problems& problems);
/// `--vary path=v1,v2` or `--vary path=2/s..20/s:10`; commas inside brackets, braces and quotes do not part values.
[[nodiscard]] Axis read_vary(std::string_view text, int ordinal, Problems& problems);

/// "2/s..20/s:10" = 10 values, both ends included, equally spaced; "32..512:x2" = doubling; "1..4" = 1, 2, 3, 4. Whole
/// numbers stay whole. Empty when `text` is no range; a problem when it is a bad one.
[[nodiscard]] std::vector<std::string> range_values(std::string_view text, const SourcePos& at, Problems& problems);

/// Is `path` a key inside what stands at `outer`? "managers[0].page" is within "managers".
[[nodiscard]] bool within(std::string_view path, std::string_view outer);

/// What a path is called in a name or over a column: "scheduler.max_batch" is "batch".
[[nodiscard]] std::string spoken(std::string_view path);

/// What a reader wants to see of an axis, one by one: its value; of maps each key whose value the axis does not share.
struct AxisPart {
  std::string word;  // "batch"
  std::string key;   // of the map; empty = the value itself
  [[nodiscard]] std::string text(const AxisValue& value) const;  // empty when the map lacks the key
};
[[nodiscard]] std::vector<AxisPart> parts_of(const Axis& axis);

class Space {
 public:
  static constexpr std::uint64_t points_max = 100'000'000;
  Space() = default;
  /// Throws InputError when an axis comes twice or there are more than points_max points.
  explicit Space(std::vector<Axis> axes);

  [[nodiscard]] std::uint64_t size() const { return size_; }  // 1 without axes
  [[nodiscard]] const std::vector<Axis>& axes() const { return axes_; }
  /// The value of each axis at a point.
  [[nodiscard]] std::vector<const AxisValue*> at(std::uint64_t point) const;
  /// `base` with the point's values put in.
  [[nodiscard]] ConfigDocument document(const ConfigDocument& base, std::uint64_t point) const;
  /// "cluster.tensor=2 memory.utilization=0.9": what to --set, quoted for a shell where needed.
  [[nodiscard]] std::string sets(std::uint64_t point) const;

 private:
  std::vector<Axis> axes_;
  std::uint64_t size_ = 1;
};
}  // namespace stowage
