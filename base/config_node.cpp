// The tree of a configuration document, and what users of it see.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/config.hpp"
#include "base/config_data.hpp"

namespace stowage {
using Data = ConfigNode::Data;

void Data::index() {
  by_key.resize(entries.size());
  std::iota(by_key.begin(), by_key.end(), 0U);
  std::ranges::stable_sort(by_key, {}, [&](std::uint32_t i) -> std::string_view { return entries[i].key; });
}

std::vector<std::pair<const Data::Entry*, const Data::Entry*>> Data::given_twice() const {
  std::vector<std::pair<const Entry*, const Entry*>> out;
  for (std::size_t first = 0, i = 1; i < by_key.size(); ++i) {
    if (entries[by_key[i]].key == entries[by_key[first]].key)
      out.emplace_back(&entries[by_key[first]], &entries[by_key[i]]);
    else
      first = i;
  }
  return out;
}

const Data::Entry* Data::find(std::string_view key) const {
  if (by_key.size() == entries.size() && !entries.empty()) {
    const auto place = std::ranges::lower_bound(by_key, key, {},
                                             [&](std::uint32_t i) -> std::string_view { return entries[i].key; });
    return place == by_key.end() || entries[*place].key != key ? nullptr : &entries[*place];
  }
  const auto it = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
  return it == entries.end() ? nullptr : &*it;
}

std::string Data::child_path(std::string_view key) const {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

std::string Data::child_path(std::size_t index) const { return fmt::format("{}[{}]", path, index); }

void Data::set_path(std::string new_path) {
  path = std::move(new_path);
  // Children may be shared with an older tree: copy one before its path changes.
  const auto move_to = [](std::shared_ptr<Data>& child, std::string to) {
    if (!child || child->path == to) return;
    child = std::make_shared<Data>(*child);
    child->set_path(std::move(to));
  };
  for (std::size_t i = 0; i < items.size(); ++i) move_to(items[i], child_path(i));
  for (auto& e : entries) move_to(e.value, child_path(e.key));
}

ConfigNode::Kind ConfigNode::kind() const { return data_ ? data_->kind : Kind::missing; }

const std::string& ConfigNode::text() const {
  STOWAGE_ASSERT(kind() == Kind::scalar);
  return data_->text;
}

SourcePos ConfigNode::at() const { return data_ ? data_->at : SourcePos{}; }

const std::string& ConfigNode::path() const {
  static const std::string none;
  return data_ ? data_->path : none;
}

std::size_t ConfigNode::size() const {
  if (kind() == Kind::list) return data_->items.size();
  return kind() == Kind::map ? data_->entries.size() : 0;
}

ConfigNode ConfigNode::operator[](std::size_t i) const {
  STOWAGE_ASSERT(kind() == Kind::list && i < data_->items.size());
  return ConfigNode(data_->items[i]);
}

bool ConfigNode::has(std::string_view key) const { return data_ && data_->find(key) != nullptr; }

ConfigNode ConfigNode::get(std::string_view key) const {
  if (!data_) return {};
  if (const auto* e = data_->find(key)) return ConfigNode(e->value);
  auto absent = std::make_shared<Data>();  // knows where it would be, for messages
  absent->at = data_->at;
  absent->path = data_->child_path(key);
  return ConfigNode(std::move(absent));
}

std::vector<std::pair<std::string, ConfigNode>> ConfigNode::entries() const {
  std::vector<std::pair<std::string, ConfigNode>> out;
  if (kind() != Kind::map) return out;
  for (const auto& e : data_->entries) out.emplace_back(e.key, ConfigNode(e.value));
  return out;
}

std::vector<std::pair<std::string, SourcePos>> ConfigNode::keys() const {
  std::vector<std::pair<std::string, SourcePos>> out;
  if (kind() != Kind::map) return out;
  for (const auto& e : data_->entries) out.emplace_back(e.key, e.key_at);
  return out;
}

std::vector<std::pair<std::string, SourcePos>> ConfigNode::removed() const {
  std::vector<std::pair<std::string, SourcePos>> out;
  if (kind() != Kind::map) return out;
  for (const auto& [key, at] : data_->removed)
    if (data_->find(key) == nullptr) out.emplace_back(key, at);
  return out;
}

ConfigNode ConfigNode::with_text(std::string text) const {
  STOWAGE_ASSERT(kind() == Kind::scalar);
  auto copy = std::make_shared<Data>(*data_);
  copy->text = std::move(text);
  return ConfigNode(std::move(copy));
}
}  // namespace stowage
