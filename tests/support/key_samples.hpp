#pragma once
// Where the rows of a table stand in a file, and values to write there: right ones and wrong ones.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/config.hpp"
#include "scenario/keys/key.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {

/// A file of the running test's own: others of its program run beside it.
inline std::string own_file(const std::string& ending) {
  return testing::TempDir() + "stowage_" + testing::UnitTest::GetInstance()->current_test_info()->name() + ending;
}

struct Place {
  std::string path;    // "cluster.tensor"
  std::string parent;  // "cluster"
  std::string name;    // "tensor", of a family one of its names
  const keys::Key* key;
  const keys::Table* table;
};

inline void add_places(std::vector<Place>& out, const keys::Table& table, const std::string& at) {
  for (const keys::Key& key : table.keys)
    for (const auto& name : keys::names_of(key)) {
      const std::string path = at.empty() ? name : at + "." + name;
      out.push_back({path, at, name, &key, &table});
      const std::string inside = key.form.type == keys::Type::list          ? path + "[0]"
                                 : key.form.type == keys::Type::map_by_name ? path + ".h200"
                                                                            : path;
      for (const keys::Table* below : key.form.of) add_places(out, *below, inside);
    }
}

/// What stands at "a.b[0].c"; missing where there is nothing.
inline ConfigNode at_path(ConfigNode node, std::string_view path) {
  while (!path.empty() && node) {
    const auto end = std::min(path.find('.'), path.size());
    std::string_view step = path.substr(0, end);
    const bool first = step.ends_with("[0]");
    if (first) step.remove_suffix(3);
    node = node.kind() == ConfigNode::Kind::map ? node.get(step) : ConfigNode{};
    if (first) node = node.kind() == ConfigNode::Kind::list && node.size() > 0 ? node[0] : ConfigNode{};
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return node;
}

inline bool is_leaf(const Place& p) {
  const auto type = p.key->form.type;
  return p.key->form.of.empty() && type != keys::Type::pairs && type != keys::Type::ids;
}

/// A value that may be written, and whether its form and its range are right.
struct Written {
  std::string text;
  bool formed = true, in_range = true;
};

/// `file`: of a path that is there.
inline std::vector<Written> samples(const Place& place, const std::string& file) {
  using keys::Type;
  const keys::Form& form = place.key->form;
  std::vector<Written> out = {{"[]", false}, {"{a: 1}", false}};
  const auto number = [](double x) { return fmt::format("{}", x); };
  const bool open = form.max >= keys::unbounded;
  switch (form.type) {
    case Type::flag:
      return {{"true"}, {"false"}, {"yes", false}, {"1", false}, {"[]", false}};
    case Type::count: {
      const auto min = static_cast<std::int64_t>(form.min);
      for (const std::int64_t n : {min, min + 1, std::int64_t{2}, std::int64_t{16}, std::int64_t{4096}})
        if (n >= min && static_cast<double>(n) <= form.max) out.push_back({number(static_cast<double>(n))});
      if (form.max >= 8192 && min <= 2048) out.insert(out.end(), {{"2Ki"}, {"8k"}});
      if (!open) out.push_back({number(form.max)});
      if (!open) out.push_back({number(form.max + 1), true, false});
      if (min > 0) out.push_back({number(form.min - 1), true, false});
      out.insert(out.end(), {{"1.5", false}, {"4x", false}, {"0x10", false}, {"many", false}, {"1GiB", false}});
      return out;
    }
    case Type::number:
      for (const double x : {form.min, form.max, (form.min + form.max) / 2, 0.5, 0.9, 1.0, 2.0, 300.0})
        if (x >= form.min && x <= form.max) out.push_back({number(x)});
      out.insert(out.end(), {{number(form.min - 1), true, false}, {number(form.max * 2), true, false}});
      if (form.min <= 0.9 && form.max >= 0.9) out.push_back({"90%"});
      out.insert(out.end(), {{"nan", false}, {".inf", false}, {"much", false}, {"1s", false}});
      return out;
    case Type::size:
      for (const double x : {form.min, form.max, 0x1p20, 0x1p21, 0x1p30, 0x1.4p36})
        if (x >= form.min && x <= form.max) out.push_back({format_bytes(Bytes{static_cast<std::int64_t>(x)})});
      if (form.min <= 1e9 && form.max >= 1e9) out.push_back({"1GB"});
      if (!open) out.push_back({format_bytes(Bytes{static_cast<std::int64_t>(form.max * 2)}), true, false});
      if (form.min > 0) out.push_back({"0B", true, false});
      out.insert(out.end(), {{"80", false}, {"80 parsecs", false}, {"80Gib", false}, {"-1GiB", false}});
      return out;
    case Type::duration:
      for (const double ns : {form.min, form.max, 1e3, 1e7, 1e9, 123.0})
        if (ns >= form.min && ns <= form.max && ns < 1e18 && (ns > 0 || !form.above_zero))
          out.push_back({format_duration(ns)});
      if (!open) out.push_back({format_duration(form.max * 2), true, false});
      if (form.above_zero) out.push_back({"0s", true, false});
      out.insert(out.end(), {{"10", false}, {"10 parsecs", false}, {"-1s", false}, {"s", false}});
      return out;
    case Type::rate:
      out.insert(out.end(), {{"5/s"}, {"300/min"}, {"0.25/s"}, {"0/s", true, false}});
      out.insert(out.end(), {{"5", false}, {"5s", false}, {"/s", false}, {"-5/s", false}});
      return out;
    case Type::choice:
      for (const auto word : form.words) out.push_back({std::string(word)});
      out.insert(out.end(), {{"no-such-word", false}, {"''", false}});
      return out;
    case Type::path:
      return {{file}, {source_dir() + "/calibrate/profiles/h100-sxm-80gb.yaml"}, {"[]", false}, {"''", false}};
    case Type::reference:
      return {{"llama-3-8b"}, {"a100-80gb"}, {"[]", false}, {"''", false}};
    case Type::text:
      return {{"a-name"}, {"n.1"}, {"[]", false}, {"''", false}};
    default:
      return {};
  }
}
}  // namespace stowage
