#pragma once
// The table of keys: what may stand in a scenario and in a study. One row says a key's name, form, range, meaning,
// other names and the member it fills. Readers, resolved.yaml, the JSON schema, "did you mean", completion and the
// reference in docs/keys.md all come from the rows. A new key of a plain form is one row, and its use.
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/config.hpp"
#include "base/error.hpp"
#include "base/units.hpp"

namespace stowage::keys {

enum class Type : std::uint8_t {
  flag,       // true, false
  count,      // a whole number: 8192, 8k, 8Ki
  number,     // 0.9, 90%
  size,       // 80GiB; in bytes
  duration,   // 10ms; in ns
  rate,       // 5/s; in 1/s
  text,       // as written; `pattern` may narrow it
  path,       // of a file, relative to the file it stands in; ready to open once read
  reference,  // a name of the zoo, or a path
  choice,     // one of `words`
  map,        // by the rows of `of`
  map_by_name,  // any key: a map by the rows of `of`
  list,       // of maps by the rows of `of`, or of one of several
  ids,        // a list of whole numbers from 0 on, of 64 bits
  pairs,      // a list of pairs of numbers
  axes,       // paths of a scenario, each with its values
};

struct Table;

/// What a value may look like.
struct Form {
  Type type = Type::text;
  double min = 0, max = 0;              // inclusive, in the unit named at the type; `unbounded` = no end
  bool above_zero = false;              // 0 is refused, everything above is right
  std::vector<std::string_view> words;  // of a choice
  std::vector<const Table*> of;         // of maps and lists
  std::string_view pattern;             // of a text, as a regular expression
  bool partial = false;                 // of a map: keys that it requires may stand elsewhere
  std::vector<Form> others;             // forms that are as good; the section's reader reads them
  [[nodiscard]] Form or_else(Form other) const;
};
inline constexpr double unbounded = 9.2e18;
[[nodiscard]] Form flag();
[[nodiscard]] Form count(std::int64_t min, std::int64_t max);
[[nodiscard]] Form number(double min, double max);
[[nodiscard]] Form size(Bytes min, Bytes max);
[[nodiscard]] Form duration(double min_ns, double max_ns);
[[nodiscard]] Form rate(double min_per_s, double max_per_s);
[[nodiscard]] Form above_zero(Form form);
[[nodiscard]] Form text(std::string_view pattern = {});
[[nodiscard]] Form path();
[[nodiscard]] Form reference();
[[nodiscard]] Form one_of(std::vector<std::string_view> words);
[[nodiscard]] Form map(const Table& of, Type type = Type::map);
[[nodiscard]] Form list(std::vector<const Table*> of);
[[nodiscard]] Form ids();
[[nodiscard]] Form pairs();
[[nodiscard]] Form axes();

/// Of one key: nothing, a flag, a whole number (counts, bytes), a number, a text (also of a choice).
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string>;
/// A map to be written: its table, and the object that its rows take their values from.
using Item = std::pair<const Table*, const void*>;

struct Key {
  std::string_view name;
  Form form;
  std::string_view about;  // one line
  std::string_view alias;  // other names, parted by blanks: "max_num_seqs"; in all names '-' is as good as '_'
  std::string_view absent;  // what a missing key means, in words; empty = what the member holds at first
  bool required = false;
  std::string_view needs;  // another key of the map that this one goes with
  std::vector<std::string_view> endings;  // a family: NAME_ENDING for each

  // How it meets the object of its table; rows without `set` are read by their section.
  std::function<Value(const void*)> get;
  std::function<void(void*, const Value&)> set;
  std::function<std::vector<Item>(const void*)> items;  // of maps and lists
  std::function<bool(const void*)> written;             // does resolved.yaml name it? nothing = whenever it has a value
};

inline constexpr std::string_view any_percentile = "p*";  // an ending: p50, p99.9, ...

struct Table {
  std::string_view about;
  std::vector<Key> keys;
  std::shared_ptr<const void> initial;  // an object with nothing read, for defaults
  bool block = false;                   // a line a key in resolved.yaml
  std::vector<std::string_view> exactly_one, at_most_one;
};

// --- Rows of a struct T ----------------------------------------------------------------------------------------------

template <class T>
struct More {
  std::string_view alias = {}, absent = {};
  bool required = false;
  std::string_view needs = {};
  bool (*written)(const T&) = nullptr;
};
/// For members that no simple rule reads or writes.
template <class T>
struct Own {
  Value (*get)(const T&) = nullptr;
  void (*set)(T&, const Value&) = nullptr;
};
template <class T>
struct Nested {
  std::vector<Item> (*items)(const T&) = nullptr;
};

namespace detail {
template <class M>
Value value_of(const M& member, const Form& form) {
  if constexpr (requires { member.has_value(); }) {
    return member ? value_of(*member, form) : Value{};
  } else if constexpr (std::is_same_v<M, bool>) {
    return member;
  } else if constexpr (std::is_enum_v<M>) {
    return std::string(form.words.at(static_cast<std::size_t>(member)));
  } else if constexpr (std::is_integral_v<M>) {
    return static_cast<std::int64_t>(member);
  } else if constexpr (std::is_same_v<M, Bytes>) {
    return member.count();
  } else {
    return member;  // double, std::string
  }
}

template <class M>
void assign(M& member, const Value& value, const Form& form) {
  if constexpr (requires { member.has_value(); }) {
    typename M::value_type inner{};
    assign(inner, value, form);
    member = std::move(inner);
  } else if constexpr (std::is_enum_v<M>) {
    for (std::size_t i = 0; i < form.words.size(); ++i)
      if (form.words[i] == std::get<std::string>(value)) member = static_cast<M>(i);
  } else if constexpr (std::is_integral_v<M> && !std::is_same_v<M, bool>) {
    member = static_cast<M>(std::get<std::int64_t>(value));
  } else if constexpr (std::is_same_v<M, Bytes>) {
    member = Bytes{std::get<std::int64_t>(value)};
  } else {
    member = std::get<M>(value);
  }
}
}  // namespace detail

template <class T>
struct Row : Key {
  /// `member`: &T::member, or a function of T& that returns a reference to what is filled, or a pointer (null = the
  /// object has no such thing now).
  template <class M>
  Row(std::string_view called, Form shape, std::string_view meaning, M member, More<T> more = {})
      : Row(called, std::move(shape), meaning, more) {
    const auto where = [member](const void* object) {
      auto& of = *static_cast<T*>(const_cast<void*>(object));
      if constexpr (std::is_pointer_v<std::remove_cvref_t<std::invoke_result_t<M, T&>>>)
        return std::invoke(member, of);
      else
        return &std::invoke(member, of);
    };
    get = [where, f = form](const void* object) {
      const auto* at = where(object);
      return at ? detail::value_of(*at, f) : Value{};
    };
    set = [where, f = form](void* object, const Value& value) {
      if (auto* at = where(object)) detail::assign(*at, value, f);
    };
  }
  Row(std::string_view called, Form shape, std::string_view meaning, Own<T> own, More<T> more = {})
      : Row(called, std::move(shape), meaning, more) {
    if (own.get != nullptr) get = [f = own.get](const void* object) { return f(*static_cast<const T*>(object)); };
    if (own.set != nullptr)
      set = [f = own.set](void* object, const Value& value) { f(*static_cast<T*>(object), value); };
  }
  Row(std::string_view called, Form shape, std::string_view meaning, Nested<T> nested, More<T> more = {})
      : Row(called, std::move(shape), meaning, more) {
    items = [f = nested.items](const void* object) { return f(*static_cast<const T*>(object)); };
  }
  Row(std::string_view called, Form shape, std::string_view meaning, More<T> more) {
    name = called;
    form = std::move(shape);
    about = meaning;
    alias = more.alias;
    absent = more.absent;
    required = more.required;
    needs = more.needs;
    if (more.written != nullptr)
      written = [f = more.written](const void* object) { return f(*static_cast<const T*>(object)); };
  }
};

template <class T>
struct TableOf : Table {
  TableOf(std::string_view meaning, std::initializer_list<Row<T>> rows, T first = {}) {
    about = meaning;
    keys.assign(rows.begin(), rows.end());
    initial = std::make_shared<T>(std::move(first));
  }
};

/// The words of a text, parted by blanks.
[[nodiscard]] std::vector<std::string_view> words(std::string_view text);

// --- What follows from the rows --------------------------------------------------------------------------------------

/// The key's own name, its other ones; of a family each with its endings (without any_percentile).
[[nodiscard]] std::vector<std::string> names_of(const Key& key);
[[nodiscard]] std::vector<std::string> aliases_of(const Key& key);
/// "tbt_p99" for "itl-p99", which is of the family "tbt".
[[nodiscard]] std::string canonical_name(const Key& key, std::string_view name);
/// The row that `name` belongs to, by any of its spellings; nullptr when there is none.
[[nodiscard]] const Key* find(const Table& table, std::string_view name);
/// A path of --set or of an axis in the words of the document: a key that stands there under another name keeps that
/// one, others get their own. "cluster.tp" is "cluster.tensor" where the file has `tensor`, or neither.
[[nodiscard]] std::string spelled(const ConfigNode& root, const Table& table, std::string_view path);
/// The same of "path=value".
[[nodiscard]] std::string spelled_set(const ConfigNode& root, const Table& table, std::string_view assignment);
/// "1 to 65,536", "1us to 1h", "vllm, prefill-first"; empty when anything goes.
[[nodiscard]] std::string range_text(const Form& form);
/// As resolved.yaml writes it; paths as a file kept in `folder` would name them. Empty for no value.
[[nodiscard]] std::string written_value(const Form& form, const Value& value, const std::string& folder = {});
/// The object's map: "{a: 1, b: {c: 2}}", or a line a key, `indent` blanks in.
[[nodiscard]] std::string written_map(const Table& table, const void* object, const std::string& folder,
                                      std::size_t indent = 0);
}  // namespace stowage::keys
