#include "scenario/keys/schema.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

namespace stowage::keys {
namespace {
using Json = nlohmann::ordered_json;

// As base/quantity.cpp reads them.
constexpr std::string_view number_form = "(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?";
constexpr std::string_view size_units = " *(B|KiB|MiB|GiB|TiB|PiB|kB|KB|MB|GB|TB|PB)";
constexpr std::string_view duration_units = " *(ns|us|µs|ms|s|min|h|d)";
constexpr std::string_view rate_units = " */(s|min|h|d)";

Json matching(std::string_view pattern) { return {{"type", "string"}, {"pattern", fmt::format("^{}$", pattern)}}; }
Json quantity(std::string_view units) { return matching(fmt::format("{}{}", number_form, units)); }

Json ranged(std::string_view type, const Form& form) {
  Json out = {{"type", type}};
  const auto bound = [&](double x) { return type == "integer" ? Json(static_cast<std::int64_t>(x)) : Json(x); };
  out["minimum"] = bound(form.min);
  if (form.max < unbounded) out["maximum"] = bound(form.max);
  return out;
}

Json map_of(const Table& table, bool partial);

Json axes() {
  const Json scalar = {{"type", {"string", "number", "boolean", "object"}}};
  return {{"type", "object"},
          {"additionalProperties", {{"anyOf", {scalar, {{"type", "array"}, {"minItems", 1}}}}}}};
}

Json list_of(const Form& form) {
  Json each = Json::array();
  for (const Table* table : form.of) each.push_back(map_of(*table, false));
  return {{"type", "array"}, {"minItems", 1}, {"items", each.size() == 1 ? each[0] : Json{{"anyOf", each}}}};
}

Json pairs() {
  const Json pair = {{"type", "array"}, {"items", {{"type", "number"}}}, {"minItems", 2}, {"maxItems", 2}};
  return {{"type", "array"}, {"items", pair}};
}

Json own_form(const Form& form) {
  switch (form.type) {
    case Type::flag:
      return {{"type", "boolean"}};
    case Type::count:
      return {{"anyOf", {ranged("integer", form), matching("-?(0|[1-9][0-9]*)(k|Ki)")}}};
    case Type::number:
      return {{"anyOf", {ranged("number", form), matching(fmt::format("-?{}%", number_form))}}};
    case Type::size:
      return quantity(size_units);
    case Type::duration:
      return quantity(duration_units);
    case Type::rate:
      return quantity(rate_units);
    case Type::choice: {
      Json out = {{"enum", Json::array()}};
      for (const auto word : form.words) {
        out["enum"].push_back(word);
        if (word == "true" || word == "false") out["enum"].push_back(word == "true");  // as YAML reads them
      }
      return out;
    }
    case Type::text:
      if (!form.pattern.empty()) return matching(form.pattern);
      [[fallthrough]];
    case Type::path:
    case Type::reference:
      return {{"type", {"string", "number", "boolean"}}, {"minLength", 1}};
    case Type::map:
      return map_of(*form.of[0], form.partial);
    case Type::map_by_name:
      return {{"type", "object"}, {"additionalProperties", map_of(*form.of[0], false)}};
    case Type::list:
      return list_of(form);
    case Type::ids:
      return {{"type", "array"}, {"items", {{"type", "integer"}, {"minimum", 0}}}};
    case Type::pairs:
      return pairs();
    case Type::axes:
      return axes();
  }
  return {};
}

Json of_form(const Form& form) {
  if (form.others.empty()) return own_form(form);
  Json out = {{"anyOf", Json::array({own_form(form)})}};
  for (const Form& other : form.others) out["anyOf"].push_back(own_form(other));
  return out;
}

/// The key's value as `initial` has it, where that has a JSON form of its own.
Json default_of(const Key& key, const void* initial) {
  if (!key.get || !key.absent.empty() || key.required || initial == nullptr) return nullptr;
  const Value value = key.get(initial);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  const auto* whole = std::get_if<std::int64_t>(&value);
  if (whole != nullptr && key.form.type == Type::count) return *whole;
  const auto* number = std::get_if<double>(&value);
  if (number != nullptr && key.form.type == Type::number) return *number;
  const std::string text = written_value(key.form, value);
  return text.empty() || key.form.type == Type::map ? Json(nullptr) : Json(text);
}

std::string description(const Key& key) {
  std::string out(key.about);
  const std::string range = key.form.type == Type::choice ? "" : range_text(key.form);
  if (!range.empty()) out += "; " + range;
  if (!key.absent.empty()) out += fmt::format("; default: {}", key.absent);
  return out;
}

/// A name with '-' for '_' and the other way round, as a regular expression.
std::string spelled(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '_' || c == '-')
      out += "[-_]";
    else
      out += c;
  }
  return out;
}

/// The spellings of a key beyond its own: "^(max[-_]batch|max[-_]num[-_]seqs)$"; empty when there are none.
std::string other_spellings(const Key& key) {
  std::vector<std::string> names = {spelled(key.name)};
  for (const auto other : words(key.alias)) names.push_back(spelled(other));
  std::string endings;
  if (!key.endings.empty()) {
    std::vector<std::string_view> all;
    for (const auto ending : key.endings)
      all.push_back(ending == any_percentile ? "p(100|[1-9]?[0-9])(\\.[0-9]+)?" : ending);
    endings = fmt::format("[-_]({})", fmt::join(all, "|"));
  }
  if (names.size() == 1 && names[0] == key.name && endings.empty()) return "";
  return fmt::format("^({}){}$", fmt::join(names, "|"), endings);
}

Json map_of(const Table& table, bool partial) {
  Json out = {{"type", "object"}, {"additionalProperties", false}, {"properties", Json::object()}};
  if (!table.about.empty()) out["description"] = table.about;
  Json required = Json::array(), apart = Json::array();
  for (const Key& key : table.keys) {
    const Json form = of_form(key.form);
    for (const auto& name : names_of(key)) {
      Json& property = out["properties"][name] = form;
      property["description"] = description(key);
      if (const Json value = default_of(key, table.initial.get()); !value.is_null()) property["default"] = value;
    }
    if (const std::string others = other_spellings(key); !others.empty()) out["patternProperties"][others] = form;
    for (const auto& own : names_of(key))
      for (const auto& other : aliases_of(key))
        if (key.endings.empty()) apart.push_back({{"required", {own, other}}});
    if (key.required && !partial) {
      if (key.alias.empty()) {
        required.push_back(key.name);
      } else {
        Json any = Json::array({{{"required", {key.name}}}});
        for (const auto& other : aliases_of(key)) any.push_back({{"required", {other}}});
        out["allOf"].push_back({{"anyOf", any}});
      }
    }
    if (!key.needs.empty()) out["dependentRequired"][key.name] = {key.needs};
  }
  if (!required.empty()) out["required"] = required;
  for (const auto one : table.exactly_one) out["oneOf"].push_back({{"required", {one}}});
  for (std::size_t i = 0; i < table.at_most_one.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) apart.push_back({{"required", {table.at_most_one[j], table.at_most_one[i]}}});
  if (!apart.empty()) out["not"] = {{"anyOf", apart}};
  if (partial) out.erase("oneOf");
  return out;
}
}  // namespace

std::string schema_document(std::string_view title, const Table& table) {
  Json out = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}};
  out.update(map_of(table, false));
  return out.dump(2) + "\n";
}
}  // namespace stowage::keys
