#include "base/json_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace stowage {
namespace {
using Json = nlohmann::ordered_json;
constexpr std::size_t depth_max = 64;
constexpr std::size_t values_max = std::size_t{32} << 20;

SourcePos place_of(std::string_view text, std::size_t byte, const std::string& file, int first_line) {
  const std::string_view before = text.substr(0, std::min(byte == 0 ? 0 : byte - 1, text.size()));
  const auto line_begin = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return {file, first_line + static_cast<int>(std::count(before.begin(), before.end(), '\n')),
          static_cast<int>(before.size() - line_begin) + 1};
}

/// Builds the document as nlohmann's own parser does, but with limits, and without looking through all keys of an
/// object for each new one.
class Builder {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  Json root;
  std::string why;        // it stopped, when that was not for a fault of syntax
  std::size_t fault = 0;  // the byte after a fault of syntax, from 1
  bool number_too_large = false;

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(number_integer_t value) { return add(value); }
  bool number_unsigned(number_unsigned_t value) { return add(value); }
  bool number_float(number_float_t value, const string_t&) { return add(value); }
  bool string(string_t& value) { return add(std::move(value)); }
  bool binary(binary_t&) { return false; }
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(string_t& name) {
    if (!open_.back().keys.insert(name).second) return stop(fmt::format("the key '{}' comes twice", shown(name)));
    open_.back().key = std::move(name);
    return true;
  }
  bool parse_error(std::size_t byte, const std::string&, const nlohmann::detail::exception& error) {
    fault = byte;
    number_too_large = error.id == 406;
    return false;
  }
  /// "/runs/0/name", of what is being read.
  [[nodiscard]] std::string pointer() const {
    std::string out;
    for (const Open& o : open_)
      out +=
          "/" + (o.value->is_array() ? fmt::format("{}", std::max<std::size_t>(o.value->size(), 1) - 1) : shown(o.key));
    return out;
  }

 private:
  struct Open {
    Json* value;
    std::unordered_set<std::string> keys;
    std::string key;
  };

  bool stop(std::string reason) {
    why = std::move(reason);
    return false;
  }
  template <class T>
  Json* put(T&& value) {
    if (++count_ > values_max) {
      why = fmt::format("more than {} values; is this the right file?", values_max);
      return nullptr;
    }
    if (open_.empty()) return &(root = Json(std::forward<T>(value)));
    Json& in = *open_.back().value;
    if (in.is_array()) return &in.get_ref<Json::array_t&>().emplace_back(std::forward<T>(value));
    // The map is a list of pairs: its own emplace would look for the key first.
    auto& pairs = static_cast<Json::object_t::Container&>(in.get_ref<Json::object_t&>());
    return &pairs.emplace_back(open_.back().key, std::forward<T>(value)).second;
  }
  template <class T>
  bool add(T&& value) {
    return put(std::forward<T>(value)) != nullptr;
  }
  bool open(Json empty) {
    if (open_.size() >= depth_max) return stop(fmt::format("nested deeper than {} levels", depth_max));
    Json* const value = put(std::move(empty));
    if (value == nullptr) return false;
    open_.push_back({value, {}, {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::vector<Open> open_;
  std::size_t count_ = 0;
};
}  // namespace

Json parse_json(std::string_view text, const std::string& file, std::string_view whole, int first_line) {
  Builder builder;
  if (Json::sax_parse(text, &builder)) return std::move(builder.root);
  if (!builder.why.empty())
    throw InputError({file, first_line > 1 ? first_line : 0, 0},
                     fmt::format("{}: {}", builder.pointer().empty() ? "/" : builder.pointer(), builder.why));
  const SourcePos at = place_of(text, builder.fault, file, first_line);
  if (builder.number_too_large) throw InputError(at, "a number here is larger than any that can be read (1.8e308)");
  const bool empty = text.find_first_not_of(" \t\r\n") == std::string_view::npos;
  const bool torn = builder.fault + 1 >= text.size();
  throw InputError(at, empty  ? fmt::format("the file is empty; it should be {}", whole)
                       : torn ? fmt::format("the file ends in the middle: it should be {}; copy or make it anew", whole)
                              : fmt::format("not JSON from here on; it should be {}", whole));
}

JsonReader::JsonReader(const Json& document, std::string file, Problems& problems, int line)
    : value_(&document), document_(std::make_shared<const Document>(Document{std::move(file), line, problems})) {}

const Json* JsonReader::at(std::string_view key) const {
  if (value_ == nullptr || !value_->is_object()) return nullptr;
  const auto it = value_->find(key);
  return it == value_->end() ? nullptr : &*it;
}

std::string JsonReader::pointer_of(std::string_view key) const {
  std::string out = pointer_ + "/";
  for (const char c : key) out += c == '~' ? std::string("~0") : c == '/' ? std::string("~1") : std::string(1, c);
  return out;
}

bool JsonReader::has(std::string_view key) const { return static_cast<bool>(find(key)); }

JsonReader JsonReader::operator[](std::string_view key) const {
  if (value_ == nullptr) return nothing(pointer_of(key));
  if (!value_->is_object()) {
    wrong("an object {…}");
    return nothing(pointer_of(key));
  }
  const Json* const value = at(key);
  if (value == nullptr) problem(fmt::format("no '{}'", shown(key)));
  return {value, document_, pointer_of(key)};
}

JsonReader JsonReader::find(std::string_view key) const {
  if (value_ != nullptr && !value_->is_object()) {
    wrong("an object {…}");
    return nothing(pointer_of(key));
  }
  const Json* const value = at(key);
  return {value != nullptr && value->is_null() ? nullptr : value, document_, pointer_of(key)};
}

JsonReader JsonReader::first_of(std::span<const std::string_view> keys) const {
  for (const auto key : keys)
    if (at(key) != nullptr) return (*this)[key];
  return (*this)[keys.front()];
}

JsonReader JsonReader::operator[](std::size_t i) const {
  const std::string pointer = fmt::format("{}/{}", pointer_, i);
  if (value_ == nullptr) return nothing(pointer);
  if (value_->is_array() && i < value_->size()) return {&(*value_)[i], document_, pointer};
  wrong(fmt::format("a list […] of {} values at least", i + 1));
  return nothing(pointer);
}

std::vector<JsonReader> JsonReader::items() const {
  std::vector<JsonReader> out;
  if (value_ != nullptr && !value_->is_array()) wrong("a list […]");
  if (value_ == nullptr || !value_->is_array()) return out;
  out.reserve(value_->size());
  for (std::size_t i = 0; i < value_->size(); ++i)
    out.push_back(JsonReader(&(*value_)[i], document_, fmt::format("{}/{}", pointer_, i)));
  return out;
}

std::vector<std::pair<std::string, JsonReader>> JsonReader::entries() const {
  std::vector<std::pair<std::string, JsonReader>> out;
  if (value_ != nullptr && !value_->is_object()) wrong("an object {…}");
  if (value_ == nullptr || !value_->is_object()) return out;
  for (const auto& [key, value] : value_->items())
    out.emplace_back(key, JsonReader(&value, document_, pointer_of(key)));
  return out;
}

void JsonReader::only(std::span<const std::string_view> known) const {
  for (const auto& [key, value] : entries())
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      const std::string near = did_you_mean(key, known);
      value.problem("unknown key" + (near.empty() ? "; remove it" : near));
    }
}

std::string JsonReader::text(const std::string& fallback) const {
  if (is_text()) return value_->get<std::string>();
  wrong("a text");
  return fallback;
}

bool JsonReader::flag(bool fallback) const {
  if (is_flag()) return value_->get<bool>();
  wrong("true or false");
  return fallback;
}

std::int64_t JsonReader::integer(std::int64_t min, std::int64_t max, std::int64_t fallback) const {
  if (is_whole()) {
    // Beyond int64 there are unsigned ones, which as int64 would be negative.
    const bool fits = !value_->is_number_unsigned() || value_->get<std::uint64_t>() <= std::uint64_t{INT64_MAX};
    const std::int64_t value = fits ? value_->get<std::int64_t>() : 0;
    if (fits && value >= min && value <= max) return value;
  }
  wrong(fmt::format("a whole number from {} to {}", min, max));
  return fallback;
}

double JsonReader::number(double min, double max, double fallback) const {
  if (is_number()) {
    const double value = value_->get<double>();
    if (value >= min && value <= max) return value;
  }
  wrong(fmt::format("a number from {} to {}", min, max));
  return fallback;
}

std::vector<double> JsonReader::numbers(double min, double max) const {
  std::vector<double> out;
  if (value_ != nullptr && !value_->is_array()) wrong("a list […]");
  if (value_ == nullptr || !value_->is_array()) return out;
  out.reserve(value_->size());
  for (std::size_t i = 0; i < value_->size(); ++i) {
    const Json& item = (*value_)[i];
    const double value = item.is_number() ? item.get<double>() : NAN;
    // Only of a wrong one is its place made: there may be millions.
    out.push_back(value >= min && value <= max ? value : (*this)[i].number(min, max));
  }
  return out;
}

bool JsonReader::is_text() const { return value_ != nullptr && value_->is_string(); }
bool JsonReader::is_number() const { return value_ != nullptr && value_->is_number(); }
bool JsonReader::is_whole() const {
  if (value_ == nullptr) return false;
  if (value_->is_number_integer()) return true;
  // Tables with gaps write whole numbers as 100.0.
  if (!value_->is_number_float()) return false;
  const double x = value_->get<double>();
  return std::floor(x) == x && std::abs(x) < 0x1p53;
}
bool JsonReader::is_flag() const { return value_ != nullptr && value_->is_boolean(); }
bool JsonReader::is_list() const { return value_ != nullptr && value_->is_array(); }
bool JsonReader::is_object() const { return value_ != nullptr && value_->is_object(); }

const Json& JsonReader::raw() const {
  static const Json none;
  return value_ == nullptr ? none : *value_;
}

void JsonReader::problem(const std::string& what) const {
  document_->problems.add({document_->file, document_->line, 0},
                          pointer_.empty() ? what : fmt::format("{}: {}", shown(pointer_), what));
}

void JsonReader::wrong(std::string_view wanted) const {
  if (value_ == nullptr) return;
  problem(fmt::format("must be {}, not {}", wanted,
                      value_->is_object()  ? "an object"
                      : value_->is_array() ? fmt::format("a list of {}", value_->size())
                                           : shown(value_->dump(-1, ' ', false, Json::error_handler_t::replace))));
}
}  // namespace stowage
