#include "scenario/keys/reference.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace stowage::keys {
namespace {
std::string_view kind_of(Type type) {
  switch (type) {
    case Type::flag:
      return "true or false";
    case Type::count:
      return "whole number";
    case Type::number:
      return "number";
    case Type::size:
      return "size";
    case Type::duration:
      return "duration";
    case Type::rate:
      return "rate";
    case Type::text:
      return "text";
    case Type::path:
      return "path";
    case Type::reference:
      return "name or path";
    case Type::choice:
      return "";
    case Type::map:
      return "map";
    case Type::map_by_name:
      return "map of maps";
    case Type::list:
      return "list of maps";
    case Type::ids:
      return "list of whole numbers";
    case Type::pairs:
      return "list of pairs";
    case Type::axes:
      return "map";
  }
  return "";
}

std::string values(const Form& form) {
  std::string out(kind_of(form.type));
  if (const std::string range = range_text(form); !range.empty()) out += (out.empty() ? "" : ", ") + range;
  for (const Form& other : form.others) out += " or " + values(other);
  return out;
}

std::string label(const Key& key) {
  if (key.endings.empty()) return fmt::format("`{}`", key.name);
  std::vector<std::string_view> endings;
  const bool any = std::find(key.endings.begin(), key.endings.end(), any_percentile) != key.endings.end();
  for (const auto ending : key.endings)
    if (!any || !ending.starts_with('p')) endings.push_back(ending);
  if (any) endings.push_back("pN");
  return fmt::format("`{}_` {}", key.name, fmt::join(endings, ", "));
}

std::string rows(const Table& table) {
  std::string out = "| key | values | default | meaning |\n|---|---|---|---|\n";
  for (const Key& key : table.keys) {
    std::vector<std::string> others;
    for (const auto other : words(key.alias))
      others.push_back(fmt::format("`{}{}`", other, key.endings.empty() ? "" : "_"));
    std::string about(key.about);
    if (!others.empty()) about += fmt::format("; also {}", fmt::join(others, ", "));
    out += fmt::format("| {} | {} | {} | {} |\n", label(key), values(key.form), default_text(key, table), about);
  }
  return out;
}

std::string path_of(std::string_view path, const Key& key, const Table& below) {
  std::string out = path.empty() ? std::string(key.name) : fmt::format("{}.{}", path, key.name);
  if (key.form.type == Type::list) out += "[]";
  if (key.form.type == Type::map_by_name) out += ".NAME";
  // Of several kinds of entries each says its own.
  for (const Key& own : below.keys)
    if (key.form.of.size() > 1 && own.form.type == Type::choice && own.form.words.size() == 1)
      out += fmt::format("` of {} `{}", own.name, own.form.words[0]);
  return out;
}

void add(std::string& out, std::vector<const Table*>& done, const Table& table, const std::string& title,
         const std::string& path, const Table* stop) {
  if (&table == stop || std::find(done.begin(), done.end(), &table) != done.end()) return;
  done.push_back(&table);
  out += fmt::format("{}## {}\n\n{}\n\n{}", out.empty() ? "" : "\n", title, sentence(table.about), rows(table));
  for (const Key& key : table.keys) {
    std::vector<Form> forms = key.form.others;
    forms.insert(forms.begin(), key.form);
    for (const Form& form : forms)
      for (const Table* below : form.of) {
        Key of_form = key;
        of_form.form = form;
        const std::string at = path_of(path, of_form, *below);
        add(out, done, *below, fmt::format("`{}`", at), at, stop);
      }
  }
}

void add_paths(std::vector<std::string>& out, const Table& table, const std::string& path) {
  for (const Key& key : table.keys) {
    for (const auto& name : names_of(key)) {
      const std::string at = path.empty() ? name : path + "." + name;
      const bool leaf = key.form.of.empty();
      if (leaf && std::find(out.begin(), out.end(), at) == out.end()) out.push_back(at);
      if (key.form.type == Type::map_by_name) continue;  // the name is the user's
      for (const Table* below : key.form.of) add_paths(out, *below, key.form.type == Type::list ? at + "[0]" : at);
    }
  }
}
}  // namespace

std::string default_text(const Key& key, const Table& table) {
  if (key.required) return "required";
  if (!key.absent.empty()) return std::string(key.absent);
  if (!key.get || !table.initial || key.form.type == Type::map) return "";
  return written_value(key.form, key.get(table.initial.get()));
}

std::string sentence(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out + ".";
}

std::string reference(const Table& table, std::string_view root, const Table* stop) {
  std::string out;
  std::vector<const Table*> done;
  add(out, done, table, std::string(root), "", stop);
  return out;
}

std::vector<std::string> paths(const Table& table) {
  std::vector<std::string> out;
  add_paths(out, table, "");
  return out;
}
}  // namespace stowage::keys
