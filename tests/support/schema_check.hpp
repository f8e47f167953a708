#pragma once
// What of JSON Schema (2020-12) the project's schemas use, checked by a reader of its own.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <string>

#include "base/config.hpp"

namespace stowage {

/// A YAML document as an editor sees it: plain scalars by YAML's core schema.
inline nlohmann::json json_of(const ConfigNode& node) {
  using Json = nlohmann::json;
  switch (node.kind()) {
    case ConfigNode::Kind::missing:
    case ConfigNode::Kind::null:
      return nullptr;
    case ConfigNode::Kind::scalar: {
      const std::string& text = node.text();
      static const std::regex whole("[-+]?[0-9]+"), real("[-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?");
      if (text == "true" || text == "false") return text == "true";
      if (std::regex_match(text, whole) && text.size() < 19) return std::stoll(text);
      if (std::regex_match(text, real)) return std::stod(text);
      return text;
    }
    case ConfigNode::Kind::list: {
      Json out = Json::array();
      for (std::size_t i = 0; i < node.size(); ++i) out.push_back(json_of(node[i]));
      return out;
    }
    case ConfigNode::Kind::map: {
      Json out = Json::object();
      for (const auto& [key, value] : node.entries()) out[key] = json_of(value);
      return out;
    }
  }
  return nullptr;
}

inline bool is_type(const nlohmann::json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  return type == "number" && value.is_number();
}

/// Compiled once: a regular expression takes longer to make than to match.
inline bool matches(const std::string& text, const std::string& pattern) {
  static std::map<std::string, std::regex> made;
  const auto found = made.try_emplace(pattern, pattern).first;
  return std::regex_search(text, found->second);
}

/// Is `value` as `schema` asks?
inline bool conforms(const nlohmann::json& value, const nlohmann::json& schema) {
  using Json = nlohmann::json;
  const auto has = [&](const char* word) { return schema.contains(word); };
  const auto good = [&](const Json& part) { return conforms(value, part); };
  const auto asked = [&](const Json& names) {
    return std::all_of(names.begin(), names.end(), [&](const Json& n) { return value.contains(n.get<std::string>()); });
  };
  if (has("type")) {
    const Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
    if (std::none_of(types.begin(), types.end(), [&](const Json& t) { return is_type(value, t); })) return false;
  }
  if (has("enum") && std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
    return false;
  if (has("anyOf") && std::none_of(schema["anyOf"].begin(), schema["anyOf"].end(), good)) return false;
  if (has("allOf") && !std::all_of(schema["allOf"].begin(), schema["allOf"].end(), good)) return false;
  if (has("oneOf") && std::count_if(schema["oneOf"].begin(), schema["oneOf"].end(), good) != 1) return false;
  if (has("not") && conforms(value, schema["not"])) return false;
  if (value.is_number() && has("minimum") && value < schema["minimum"]) return false;
  if (value.is_number() && has("maximum") && value > schema["maximum"]) return false;
  if (value.is_string() && has("pattern") &&
      !matches(value.get<std::string>(), schema["pattern"].get<std::string>()))
    return false;
  if (value.is_string() && has("minLength") && value.get<std::string>().size() < schema["minLength"]) return false;
  if (value.is_array()) {
    if (has("minItems") && value.size() < schema["minItems"]) return false;
    if (has("maxItems") && value.size() > schema["maxItems"]) return false;
    for (const Json& item : value)
      if (has("items") && !conforms(item, schema["items"])) return false;
  }
  if (!value.is_object()) return true;
  if (has("required") && !asked(schema["required"])) return false;
  if (has("dependentRequired"))
    for (const auto& [key, names] : schema["dependentRequired"].items())
      if (value.contains(key) && !asked(names)) return false;
  for (const auto& [key, part] : value.items()) {
    bool known = false;
    if (has("properties") && schema["properties"].contains(key)) {
      known = true;
      if (!conforms(part, schema["properties"][key])) return false;
    }
    if (has("patternProperties"))
      for (const auto& [pattern, form] : schema["patternProperties"].items()) {
        if (!matches(key, pattern)) continue;
        known = true;
        if (!conforms(part, form)) return false;
      }
    if (known || !has("additionalProperties")) continue;
    const Json& other = schema["additionalProperties"];
    if (other.is_boolean() ? !other.get<bool>() : !conforms(part, other)) return false;
  }
  return true;
}
}  // namespace stowage
