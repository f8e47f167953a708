#include "planner/axes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "base/shell.hpp"

namespace stowage {
namespace {
constexpr std::size_t values_max = 1'000'000;

/// "20/s" = 20 and "/s"; nothing when it does not begin with a number.
struct Measured {
  double number = 0;
  std::string unit;
};
std::optional<Measured> measured(std::string_view text) {
  const auto end = std::min(text.find_first_not_of("0123456789.eE+-"), text.size());
  // "2e" of "2eggs" is no number: let the parser of numbers judge the longest prefix it takes.
  for (auto n = end; n > 0; --n)
    if (const auto number = parse_number(text.substr(0, n))) return Measured{*number, std::string(text.substr(n))};
  return std::nullopt;
}

bool whole(double x) { return x == std::floor(x) && std::abs(x) < 1e15; }

std::string written(double x, const std::string& unit) {
  return (whole(x) ? fmt::format("{}", static_cast<std::int64_t>(x)) : fmt::format("{:.12g}", x)) + unit;
}

/// The values of a list node, a range, or the node itself.
std::vector<AxisValue> values_of(const ConfigNode& node, Problems& problems) {
  std::vector<AxisValue> out;
  const auto add = [&](const ConfigNode& value) {
    if (value.kind() == ConfigNode::Kind::scalar) {
      const auto range = range_values(value.text(), value.at(), problems);
      for (const auto& text : range) out.push_back({text, value.with_text(text)});
      if (!range.empty()) return;
    }
    out.push_back({flow_text(value), value});
  };
  if (node.kind() == ConfigNode::Kind::list)
    for (std::size_t i = 0; i < node.size(); ++i) add(node[i]);
  else
    add(node);
  return out;
}

void check_values(const Axis& axis, Problems& problems) {
  if (axis.values.empty())
    problems.add(axis.at, fmt::format("'{}' has no value: the space is empty; give it at least one", axis.path));
  if (axis.values.size() > values_max)
    problems.add(axis.at, fmt::format("'{}' has more than {} values", axis.path, values_max));
  std::set<std::string_view> seen;
  for (const auto& value : axis.values) {
    if (value.node.kind() == ConfigNode::Kind::null)
      problems.add(value.node.at(), fmt::format("'{}' has an empty value; write {{}} for a map that says nothing, or "
                                                "quote it to mean a text",
                                                axis.path));
    else if (!seen.insert(value.text).second)
      problems.add(value.node.at(), fmt::format("'{}' has the value {} twice; remove one", axis.path, value.text));
  }
}

/// Whether one value means within the brackets of a list what --set takes it for: YAML has "---", "..." and "-" as
/// texts there, and as marks where they stand alone.
bool as_set_reads(std::string_view typed, const ConfigNode& list) {
  if (list.size() != 1 || list[0].kind() != ConfigNode::Kind::scalar || typed.find(',') != std::string_view::npos)
    return true;
  try {
    const ConfigNode alone = ConfigDocument::typed(typed, list.at().file);
    return alone.kind() == ConfigNode::Kind::scalar && alone.text() == list[0].text();
  } catch (const InputError&) { return false; }
}
}  // namespace

std::vector<std::string> range_values(std::string_view text, const SourcePos& at, Problems& problems) {
  const auto dots = text.find("..");
  if (dots == std::string_view::npos || dots == 0) return {};
  const auto first = measured(text.substr(0, dots));
  std::string_view rest = text.substr(dots + 2);
  const auto colon = rest.rfind(':');
  const std::string_view step = colon == std::string_view::npos ? "" : rest.substr(colon + 1);
  const auto last = measured(rest.substr(0, colon));
  if (!first || !last) return {};  // "../x.yaml" and the like
  const auto refuse = [&](std::string_view why) {
    problems.add(
        at, fmt::format("'{}' is no range: {}; write 2/s..20/s:10 (ten values), 32..512:x2 or 1..4", shown(text), why));
    return std::vector<std::string>{};
  };
  const std::string unit = last->unit;
  if (!first->unit.empty() && first->unit != unit) return refuse("both ends take the same unit");
  if (!(first->number <= last->number)) return refuse("it falls");
  std::vector<std::string> out;
  if (step.starts_with('x')) {
    const auto factor = parse_number(step.substr(1));
    if (!factor || !(*factor > 1) || !(first->number > 0))
      return refuse("a factor is above 1, the first value above 0");
    for (double x = first->number; x <= last->number * (1 + 1e-12) && out.size() <= values_max; x *= *factor)
      out.push_back(written(x, unit));
    return out;
  }
  if (step.empty()) {
    if (colon != std::string_view::npos || !whole(first->number) || !whole(last->number))
      return refuse("without a count both ends are whole numbers");
    if (last->number - first->number > static_cast<double>(values_max)) return refuse("it has too many values");
    for (double x = first->number; x <= last->number; ++x) out.push_back(written(x, unit));
    return out;
  }
  const auto count = parse_integer(step);
  if (!count || *count < 1 || *count > static_cast<std::int64_t>(values_max)) return refuse("the count is not one");
  if (*count == 1 && first->number != last->number) return refuse("one value cannot be both ends");
  for (std::int64_t i = 0; i < *count; ++i) {
    const double part = *count == 1 ? 0 : static_cast<double>(i) / static_cast<double>(*count - 1);
    out.push_back(written(first->number + (last->number - first->number) * part, unit));
  }
  return out;
}

std::vector<Axis> read_space(const ConfigNode& node, Problems& problems) {
  std::vector<Axis> axes;
  if (!node) return axes;
  if (node.kind() != ConfigNode::Kind::map) {
    problems.add(node.at(), "'space' must be a map of scenario paths to values, as {cluster.tensor: [1, 2, 4]}");
    return axes;
  }
  for (const auto& [path, value] : node.entries()) {
    Axis axis{path, value.at(), {}};
    if (value.kind() != ConfigNode::Kind::null) axis.values = values_of(value, problems);
    check_values(axis, problems);
    axes.push_back(std::move(axis));
  }
  return axes;
}

Axis read_vary(std::string_view text, int ordinal, Problems& problems) {
  Axis axis;
  axis.at = {fmt::format("--vary #{}", ordinal), 0, 0};
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    problems.add(axis.at, fmt::format("'{}' has no '='; write it as cluster.tensor=1,2,4", shown(text)));
    return axis;
  }
  axis.path = text.substr(0, equals);
  // YAML would fold a line break to a blank, and the point would run with a value that nobody typed.
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    problems.add(axis.at, fmt::format("'{}' holds a line break or another control character; remove it", shown(text)));
    return axis;
  }
  // As one YAML list: its reader knows brackets and quotes. "1..4" and "2/s" are plain texts to it.
  try {
    const std::string_view values = text.substr(equals + 1);
    const ConfigNode list = ConfigDocument::typed(fmt::format("[{}]", values), axis.at.file);
    if (!as_set_reads(values, list)) {
      problems.add(axis.at, fmt::format("'{}': that is no value to --set; quote it to mean the text", shown(text)));
      return axis;
    }
    axis.values = values_of(list, problems);
  } catch (const InputError& error) {
    problems.add(axis.at, fmt::format("'{}': {}", shown(text), error.problems().front().message));
    return axis;
  }
  check_values(axis, problems);
  return axis;
}

bool within(std::string_view path, std::string_view outer) {
  return path.size() > outer.size() && path.starts_with(outer) &&
         (path[outer.size()] == '.' || path[outer.size()] == '[');
}

std::string spoken(std::string_view path) {
  std::string_view word = path.substr(path.rfind('.') + 1);
  if (word.starts_with("max_")) word.remove_prefix(4);
  return std::string(word);
}

std::string AxisPart::text(const AxisValue& value) const {
  if (key.empty() || value.node.kind() != ConfigNode::Kind::map) return value.text;
  const ConfigNode own = value.node.get(key);
  return own ? flow_text(own) : "";
}

std::vector<AxisPart> parts_of(const Axis& axis) {
  std::vector<AxisPart> out;
  std::set<std::string> seen;
  for (const AxisValue& value : axis.values) {
    if (value.node.kind() != ConfigNode::Kind::map) return {{spoken(axis.path), ""}};
    for (const auto& [key, unused] : value.node.entries())
      if (seen.insert(key).second) out.push_back({spoken(key), key});
  }
  const auto shared = [&](const AxisPart& part) {
    const auto same = [&](const AxisValue& v) { return part.text(v) == part.text(axis.values.front()); };
    return std::all_of(axis.values.begin(), axis.values.end(), same);
  };
  if (axis.values.size() > 1) std::erase_if(out, shared);
  return out;
}

namespace {
/// `inner`, "scheduler.max_batch", is a key of what `outer`, "scheduler", sets: one of them may undo the other.
void check_within(const Axis& outer, const Axis& inner, bool inner_first, Problems& problems) {
  if (inner_first)
    problems.add(inner.at, fmt::format("'{}' sets all of it afterwards, so that '{}' has no effect; write '{}' first",
                                       outer.path, inner.path, outer.path));
  const std::string below = "value" + inner.path.substr(outer.path.size());
  for (const AxisValue& value : outer.values) {
    ConfigDocument alone;
    alone.put("value", value.node, value.node.at());
    if (alone.find(below)) {
      problems.add(inner.at,
                   fmt::format("'{}' is also in the values of '{}'; give it at one place", inner.path, outer.path));
      return;
    }
  }
}
}  // namespace

Space::Space(std::vector<Axis> axes) : axes_(std::move(axes)) {
  Problems problems;
  std::set<std::string_view> seen;
  for (const auto& axis : axes_) {
    if (!seen.insert(axis.path).second)
      problems.add(axis.at, fmt::format("'{}' is varied twice; give all its values at one place", axis.path));
    STOWAGE_ASSERT(!axis.values.empty());
    for (const auto& other : axes_)
      if (within(other.path, axis.path)) check_within(axis, other, &other < &axis, problems);
    if (size_ > points_max / axis.values.size()) {
      problems.add(axis.at, fmt::format("the space has more than {} points; vary less", points_max));
      break;
    }
    size_ *= axis.values.size();
  }
  problems.throw_if_any();
}

std::vector<const AxisValue*> Space::at(std::uint64_t point) const {
  STOWAGE_ASSERT(point < size_);
  std::vector<const AxisValue*> out(axes_.size());
  for (std::size_t i = axes_.size(); i-- > 0;) {
    out[i] = &axes_[i].values[point % axes_[i].values.size()];
    point /= axes_[i].values.size();
  }
  return out;
}

ConfigDocument Space::document(const ConfigDocument& base, std::uint64_t point) const {
  ConfigDocument out = base;
  const auto values = at(point);
  for (std::size_t i = 0; i < axes_.size(); ++i) out.put(axes_[i].path, values[i]->node, axes_[i].at);
  return out;
}

std::string Space::sets(std::uint64_t point) const {
  std::string out;
  const auto values = at(point);
  for (std::size_t i = 0; i < axes_.size(); ++i)
    out += fmt::format("{}--set {}", out.empty() ? "" : " ", shell_word(axes_[i].path + "=" + values[i]->text));
  return out;
}
}  // namespace stowage
