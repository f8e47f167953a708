// Forms of values, and names of keys.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/config.hpp"
#include "scenario/keys/key.hpp"

namespace stowage::keys {
namespace {
Form plain(Type type, double min = 0, double max = 0) {
  Form form;
  form.type = type;
  form.min = min;
  form.max = max;
  return form;
}

bool same_char(char a, char b) { return a == b || (a == '-' && b == '_') || (a == '_' && b == '-'); }
bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same_char);
}

/// "99", "99.9": what may follow the p of a percentile.
bool is_percentile(std::string_view ending) {
  if (ending.size() < 2 || ending[0] != 'p') return false;
  const auto percent = parse_number(ending.substr(1));
  return percent && ending.find_first_not_of("0123456789.", 1) == std::string_view::npos && *percent > 0 &&
         *percent <= 100;
}

/// Is `name` the key's `own` name, or of its family?
bool is_name(const Key& key, std::string_view own, std::string_view name) {
  if (key.endings.empty()) return same(own, name);
  if (name.size() < own.size() + 2 || !same(name.substr(0, own.size()), own) || !same_char(name[own.size()], '_'))
    return false;
  const std::string_view ending = name.substr(own.size() + 1);
  return std::any_of(key.endings.begin(), key.endings.end(), [&](std::string_view known) {
    return known == ending || (known == any_percentile && is_percentile(ending));
  });
}

bool is_of(const Key& key, std::string_view name) {
  if (is_name(key, key.name, name)) return true;
  const auto aliases = words(key.alias);
  return std::any_of(aliases.begin(), aliases.end(), [&](auto other) { return is_name(key, other, name); });
}

/// As format_duration, and "1min", "2h", "30d".
std::string long_duration(double ns) {
  constexpr std::pair<double, std::string_view> units[] = {{86400e9, "d"}, {3600e9, "h"}, {60e9, "min"}};
  for (const auto& [unit, name] : units)
    if (ns >= unit && ns / unit == std::floor(ns / unit * 2) / 2) return fmt::format("{}{}", ns / unit, name);
  return format_duration(ns);
}

std::string bound_text(Type type, double x) {
  switch (type) {
    case Type::count:
      return fmt::format("{}", static_cast<std::int64_t>(x));
    case Type::size:
      return format_bytes(Bytes{static_cast<std::int64_t>(x)});
    case Type::duration:
      return long_duration(x);
    case Type::rate:
      return fmt::format("{}/s", x);
    default:
      return fmt::format("{}", x);
  }
}
}  // namespace

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    if (end > 0) out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

Form Form::or_else(Form other) const {
  Form out = *this;
  out.others.push_back(std::move(other));
  return out;
}

Form flag() { return plain(Type::flag); }
Form count(std::int64_t min, std::int64_t max) {
  return plain(Type::count, static_cast<double>(min), static_cast<double>(max));
}
Form number(double min, double max) { return plain(Type::number, min, max); }
Form size(Bytes min, Bytes max) {
  return plain(Type::size, static_cast<double>(min.count()), static_cast<double>(max.count()));
}
Form duration(double min_ns, double max_ns) { return plain(Type::duration, min_ns, max_ns); }
Form rate(double min_per_s, double max_per_s) { return plain(Type::rate, min_per_s, max_per_s); }
Form above_zero(Form form) {
  form.above_zero = true;
  return form;
}
Form text(std::string_view pattern) {
  Form form = plain(Type::text);
  form.pattern = pattern;
  return form;
}
Form path() { return plain(Type::path); }
Form reference() { return plain(Type::reference); }
Form one_of(std::vector<std::string_view> words) {
  Form form = plain(Type::choice);
  form.words = std::move(words);
  return form;
}
Form map(const Table& of, Type type) {
  Form form = plain(type);
  form.of = {&of};
  return form;
}
Form list(std::vector<const Table*> of) {
  Form form = plain(Type::list);
  form.of = std::move(of);
  return form;
}

Form ids() { return plain(Type::ids); }
Form pairs() { return plain(Type::pairs); }
Form axes() { return plain(Type::axes); }

namespace {
void add_names(std::vector<std::string>& out, const Key& key, std::string_view name) {
  if (key.endings.empty()) out.emplace_back(name);
  for (const auto ending : key.endings)
    if (ending != any_percentile) out.push_back(fmt::format("{}_{}", name, ending));
}
}  // namespace

std::vector<std::string> names_of(const Key& key) {
  std::vector<std::string> out;
  add_names(out, key, key.name);
  return out;
}

std::vector<std::string> aliases_of(const Key& key) {
  std::vector<std::string> out;
  for (const auto name : words(key.alias)) add_names(out, key, name);
  return out;
}

std::string canonical_name(const Key& key, std::string_view name) {
  if (key.endings.empty()) return std::string(key.name);
  return fmt::format("{}_{}", key.name, name.substr(name.find_first_of("_-") + 1));
}

const Key* find(const Table& table, std::string_view name) {
  for (const Key& key : table.keys)  // as it is nearly always written
    if (key.endings.empty() && key.name == name) return &key;
  for (const Key& key : table.keys)
    if (is_of(key, name)) return &key;
  return nullptr;
}

std::string range_text(const Form& form) {
  switch (form.type) {
    case Type::count:
    case Type::number:
    case Type::size:
    case Type::duration:
    case Type::rate:
      break;
    case Type::choice:
      return fmt::format("{}", fmt::join(form.words, ", "));
    default:
      return "";
  }
  const bool open = form.max >= unbounded;
  if (form.above_zero) return open ? "more than 0" : "more than 0, up to " + bound_text(form.type, form.max);
  if (open) return form.min > 0 ? "at least " + bound_text(form.type, form.min) : "";
  if (form.min == form.max) return bound_text(form.type, form.min);
  if (form.min == 0 && form.type == Type::duration) return "up to " + bound_text(form.type, form.max);
  return bound_text(form.type, form.min) + " to " + bound_text(form.type, form.max);
}
}  // namespace stowage::keys
