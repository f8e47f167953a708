// The YAML reader: what it finds, where it says it is, and that nothing gets past it.
#include "base/config.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

namespace stowage {
namespace {
using Kind = ConfigNode::Kind;
constexpr auto int64_max = std::numeric_limits<std::int64_t>::max();

/// Everything wrong with `text` when `read` reads it, one problem a line.
std::string problems_of(std::string_view text, const std::function<void(MapReader&)>& read = {}) {
  try {
    const auto doc = ConfigDocument::parse(text, "f.yaml");
    Problems problems;
    MapReader map(doc.root(), problems);
    if (read) read(map);
    if (read) map.finish();
    problems.throw_if_any();
  } catch (const InputError& e) { return e.what(); }
  return "";
}

std::vector<Problem> problems_thrown(const Problems& problems) {
  try {
    problems.throw_if_any();
  } catch (const InputError& e) { return e.problems(); }
  return {};
}

TEST(ConfigDocument, tree_with_positions_and_paths) {
  const auto doc = ConfigDocument::parse("a: 1\nb:\n  c: [x, {d: 'y z'}]\n  e:\n", "f.yaml");
  const auto root = doc.root();
  EXPECT_EQ(root.kind(), Kind::map);
  EXPECT_EQ(root.get("a").text(), "1");
  EXPECT_EQ(root.get("a").at().str(), "f.yaml:1:4");
  const auto d = root.get("b").get("c")[1].get("d");
  EXPECT_EQ(d.text(), "y z");
  EXPECT_EQ(d.path(), "b.c[1].d");
  EXPECT_EQ(d.at().str(), "f.yaml:3:14");
  EXPECT_EQ(root.get("b").get("e").kind(), Kind::null);
  EXPECT_EQ(root.get("b").get("e").at().line, 4);
  EXPECT_FALSE(root.get("q"));
  EXPECT_EQ(root.get("q").get("r").path(), "q.r");
  EXPECT_EQ(root.entries().size(), 2U);
}

TEST(ConfigDocument, empty_text_is_null) {
  for (const char* text : {"", "\n\n", "# only a comment\n", "---\n", "~"})
    EXPECT_EQ(ConfigDocument::parse(text, "f.yaml").root().kind(), Kind::null) << text;
}

TEST(ConfigDocument, refuses_what_yaml_allows_but_nobody_means) {
  EXPECT_EQ(problems_of("a: 1\nb: 2\na: 3\n"), "f.yaml:3:1: error: 'a' is given twice (first on line 1); keep one");
  EXPECT_EQ(problems_of("x: {a: 1, a: 2}"), "f.yaml:1:11: error: 'x.a' is given twice (first on line 1); keep one");
  EXPECT_EQ(problems_of("a: &q {b: 1}\nc: *q\n"),
            "f.yaml:1:4: error: anchors (&name) are not supported; leave it out, or quote the text\n"
            "f.yaml:2:4: error: aliases (*name) are not supported; write the value out");
  EXPECT_EQ(problems_of("a: &q {b: 1}\nc:\n  <<: *q\n"),
            "f.yaml:1:4: error: anchors (&name) are not supported; leave it out, or quote the text\n"
            "f.yaml:3:3: error: merge keys (<<) are not supported; write the keys out\n"
            "f.yaml:3:7: error: aliases (*name) are not supported; write the value out");
  EXPECT_EQ(problems_of("a: !!int 5"),
            "f.yaml:1:4: error: tags (tag:yaml.org,2002:int) are not supported; leave it out");
  for (const char* tagged : {"a: ! 5",
                             "\xef\xbb\xbf"
                             "a: ! 5",
                             "a: ! [5]", "a: ! {b: 5}", "a:\n  - 1\n  - ! 5\n", "a: ! \"5\""})
    EXPECT_NE(problems_of(tagged).find("tags (!) are not supported; leave it out"), std::string::npos) << tagged;
  EXPECT_EQ(problems_of("a: \"! 5\"\nb: '!'\nc: [\"!x\"]\n"), "");
  EXPECT_EQ(problems_of("a: 1\n---\nb: 2\n"),
            "f.yaml:2:1: error: a second document begins here; keep one and remove the lines '---'");
  EXPECT_EQ(problems_of("a: {b: 1,\n\tc: 2\n"), "f.yaml:3:1: error: not valid YAML: end of map flow not found");
  EXPECT_EQ(problems_of("a:\n\tb: 2\n"), "f.yaml:2:3: error: a tab in the indentation; YAML wants spaces");
  EXPECT_EQ(problems_of(std::string("a: \0", 4)), "f.yaml:1: error: not a text file: it holds a zero byte");
}

TEST(ConfigDocument, self_reference_and_bombs_end_quietly) {
  EXPECT_NE(problems_of("a: &x [*x]"), "");
  EXPECT_NE(problems_of("a: &a [1,1,1]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\n"), "");
  EXPECT_EQ(problems_of("a: " + std::string(63, '[') + std::string(63, ']')), "");
  EXPECT_EQ(problems_of("a: " + std::string(64, '[') + std::string(64, ']')),
            "f.yaml:1:67: error: nested deeper than 64 levels");
  for (const char* unit : {"[", "{a: ", "- ", "? ", "a:\n ", "!a ", "&a ", "\"", "'", "|\n", "# \n", "%"}) {
    std::string bomb;
    for (int i = 0; i < 20000; ++i) bomb += unit;
    problems_of(bomb);  // an answer of any kind, without a crash
  }
}

TEST(ConfigDocument, load_says_why_a_file_cannot_be_read) {
  const auto message = [](const std::string& path) -> std::string {
    try {
      (void)ConfigDocument::load(path);
    } catch (const InputError& e) { return e.what(); }
    return "";
  };
  EXPECT_EQ(message("no/such.yaml"),
            "no/such.yaml: error: cannot be opened: No such file or directory; check the path");
  const auto folder = std::filesystem::temp_directory_path().string();
  EXPECT_EQ(message(folder), folder + ": error: is a folder, a file was expected; check the path");
  EXPECT_EQ(message("/dev/zero"),
            "/dev/zero: error: holds more than 16 MiB, the most that is read of such a file; is this the right one?");
  const auto good = testing::TempDir() + "config_test_good.yaml";
  std::ofstream(good) << "a: 1\n";
  EXPECT_EQ(ConfigDocument::load(good).root().get("a").at().str(), good + ":1:4");
  std::remove(good.c_str());
}

TEST(ConfigDocument, set_replaces_adds_appends_and_removes) {
  auto doc = ConfigDocument::parse("a: 1\nb: {c: [1, 2]}\n", "f.yaml");
  const auto before = doc.root();
  doc.set("a=5", 1);
  doc.set("b.c[0]=9", 2);
  doc.set("b.c[2]={x: 3}", 3);
  doc.set("new.deep.key=7ms", 4);
  const auto root = doc.root();
  EXPECT_EQ(root.get("a").text(), "5");
  EXPECT_EQ(root.get("a").at().str(), "--set #1");
  EXPECT_EQ(root.get("b").get("c")[0].text(), "9");
  EXPECT_EQ(root.get("b").get("c")[2].get("x").path(), "b.c[2].x");
  EXPECT_EQ(root.get("new").get("deep").get("key").text(), "7ms");
  EXPECT_EQ(root.get("new").get("deep").get("key").path(), "new.deep.key");
  EXPECT_EQ(before.get("a").text(), "1");  // nodes handed out stay as they were
  EXPECT_EQ(before.get("b").get("c").size(), 2U);
  doc.set("b.c[0]=", 5);
  EXPECT_EQ(doc.root().get("b").get("c").size(), 2U);
  EXPECT_EQ(doc.root().get("b").get("c")[1].get("x").path(), "b.c[1].x");
  EXPECT_EQ(root.get("b").get("c")[2].get("x").path(), "b.c[2].x");
  doc.set("a=", 6);
  EXPECT_FALSE(doc.root().get("a"));
  doc.set("not.there=", 7);
  doc.set("q=a=b", 8);
  EXPECT_EQ(doc.root().get("q").text(), "a=b");
}

TEST(ConfigDocument, set_refuses) {
  const auto message = [](const std::string& assignment) -> std::string {
    auto doc = ConfigDocument::parse("a: 1\nb: {c: [1, 2]}\n", "f.yaml");
    try {
      doc.set(assignment, 3);
    } catch (const InputError& e) { return e.what(); }
    return "";
  };
  EXPECT_EQ(message("a"), "--set #3: error: 'a' has no '='; write it as key=value");
  EXPECT_EQ(message("a.x=1"), "--set #3: error: 'a' is not a map; it has no key 'x'");
  EXPECT_EQ(message("a[0]=1"), "--set #3: error: 'a' is not a list; leave out the [...]");
  EXPECT_EQ(message("b.c[5]=1"),
            "--set #3: error: there is no [5]: 'b.c' has 2 entries, [0] to [1]; [2] would append one");
  for (const char* path : {"", ".a", "a.", "a..b", "[0]", "b.c[", "b.c[x]", "b.c[-1]", "b.c[0]x", "b.c[0", "b.c[1.5]"})
    EXPECT_NE(message(std::string(path) + "=1").find("is not a path; write it as"), std::string::npos) << path;
  EXPECT_NE(message("a=[1"), "");
}

TEST(ConfigDocument, set_takes_what_was_typed_or_says_how_to_quote_it) {
  const auto set = [](const std::string& text) -> std::string {
    auto doc = ConfigDocument::parse("a: 1\n", "f.yaml");
    try {
      doc.set("a=" + text, 3);
      return flow_text(doc.root());
    } catch (const InputError& e) { return e.what(); }
  };
  for (const char* text :
       {"#5",   "%x", "---",  "...", "!",     "&a",  "&a 2",   "&a [2]", "2 #5",  "[1] #2", "{b: 1} # c",
        "null", "~",  "Null", " ",   "--- 2", "! 2", "2\n...", "|",      "|\n 2", "b\nc",   "*a"})
    EXPECT_NE(set(text).find("--set #3: error: "), std::string::npos) << text << " gives " << set(text);
  for (const char* text : {"#5", "%x", "---", "!", "&a", "2 #5", "null"}) {
    EXPECT_NE(set(text).find("quote"), std::string::npos) << text;
    EXPECT_EQ(set("\"" + std::string(text) + "\""), "{a: \"" + std::string(text) + "\"}");
  }
  EXPECT_EQ(set("2"), "{a: 2}");
  EXPECT_EQ(set(" 2 "), "{a: 2}");
  EXPECT_EQ(set("b#5"), "{a: \"b#5\"}");
  EXPECT_EQ(set("'2'"), "{a: 2}");
  EXPECT_EQ(set("{b: \"#\", c: [1]}"), "{a: {b: \"#\", c: [1]}}");
  EXPECT_EQ(set("b: 1"), "{a: {b: 1}}");
  EXPECT_EQ(set(""), "{}");
}

TEST(ConfigDocument, finds_what_stands_at_a_path) {
  const auto doc = ConfigDocument::parse("a: 1\nb: {c: [1, {d: 2}]}\n", "f.yaml");
  EXPECT_EQ(doc.find("b.c[1].d").text(), "2");
  EXPECT_EQ(doc.find("a").text(), "1");
  for (const char* path : {"x", "a.x", "b.c[2]", "b.c.d", "b[0]"}) EXPECT_FALSE(doc.find(path)) << path;
  EXPECT_THROW((void)doc.find("b..c"), InputError);
}

TEST(MapReader, reads_every_type) {
  const auto doc = ConfigDocument::parse(
      "text: hello\nflag: true\nint: 8Ki\nnum: 90%\nbytes: 2MiB\ntime: 5us\nrate: 30/min\nbw: 1GB/s\nflop: 2TFLOP/s\n"
      "pick: b\n",
      "f.yaml");
  Problems problems;
  MapReader map(doc.root(), problems);
  static constexpr std::array<std::string_view, 2> names = {"a", "b"};
  EXPECT_EQ(map.text("text"), "hello");
  EXPECT_TRUE(map.flag("flag"));
  EXPECT_EQ(map.integer("int", 0, 10000), 8192);
  EXPECT_EQ(map.number("num", 0, 1), 0.9);
  EXPECT_EQ(map.bytes("bytes"), Bytes{2 << 20});
  EXPECT_EQ(map.duration_ns("time"), 5000);
  EXPECT_EQ(map.rate_per_s("rate"), 0.5);
  EXPECT_EQ(map.bytes_per_s("bw"), 1e9);
  EXPECT_EQ(map.flop_per_s("flop"), 2e12);
  EXPECT_EQ(map.choice("pick", names), 1U);
  map.finish();
  EXPECT_TRUE(problems.empty());
}

TEST(MapReader, fallbacks_for_absent_keys) {
  const auto doc = ConfigDocument::parse("", "f.yaml");
  Problems problems;
  MapReader map(doc.root(), problems);
  EXPECT_EQ(map.text("a", "x"), "x");
  EXPECT_TRUE(map.flag("b", true));
  EXPECT_EQ(map.integer("c", 5, 9, 7), 7);
  EXPECT_EQ(map.number("d", 5, 9, 8), 8);
  EXPECT_EQ(map.bytes("e", Bytes{3}), Bytes{3});
  EXPECT_EQ(map.duration_ns("f", 4), 4);
  EXPECT_FALSE(map.has("a"));
  EXPECT_TRUE(problems.empty());
}

TEST(MapReader, all_problems_in_one_go_sorted_by_position) {
  EXPECT_EQ(problems_of("size: 80\nname: [1]\nblok: 16\ntime: 5\nn: 0\nf: maybe\nx: 7\npolicy: pagde\n",
                        [](MapReader& map) {
                          static constexpr std::array<std::string_view, 2> names = {"paged", "reserve"};
                          EXPECT_EQ(map.choice("policy", names, 1), 1U);
                          EXPECT_EQ(map.number("x", 0, 1, 0.5), 0.5);
                          EXPECT_TRUE(map.flag("f", true));
                          EXPECT_EQ(map.integer("n", 1, int64_max, 4), 4);
                          EXPECT_EQ(map.duration_ns("time", 2), 2);
                          EXPECT_EQ(map.integer("block", 1, 64, 16), 16);
                          EXPECT_EQ(map.text("name", "x"), "x");
                          EXPECT_EQ(map.bytes("size", Bytes{1}), Bytes{1});
                          (void)map.text("needed");
                        }),
            "f.yaml:1:1: error: 'needed' is missing\n"
            "f.yaml:1:7: error: 'size': '80' is not a size; write a number and a unit, as 80GiB or 80GB\n"
            "f.yaml:2:7: error: 'name' must be text, not a list; write one word or a quoted text\n"
            "f.yaml:3:1: error: unknown key 'blok'; did you mean 'block'?\n"
            "f.yaml:4:7: error: 'time': '5' is not a duration; write a number and a unit, as 30us, 10ms or 5s\n"
            "f.yaml:5:4: error: 'n': 0 is out of range; write a whole number of at least 1\n"
            "f.yaml:6:4: error: 'f': 'maybe' is not a yes or no; write true or false\n"
            "f.yaml:7:4: error: 'x': 7 is out of range; write a number from 0 to 1\n"
            "f.yaml:8:9: error: 'policy': no 'pagde'; did you mean 'paged'? (known: paged, reserve)");
}

TEST(MapReader, wrong_forms) {
  const auto read_n = [](MapReader& map) { EXPECT_EQ(map.integer("n", 1, 9, 3), 3); };
  EXPECT_EQ(problems_of("n: 010", read_n),
            "f.yaml:1:4: error: 'n': '010' is not a whole number; write one from 1 to 9");
  EXPECT_EQ(problems_of("n: .inf", read_n),
            "f.yaml:1:4: error: 'n': '.inf' is not a whole number; write one from 1 to 9");
  EXPECT_EQ(problems_of("n: -1", read_n),
            "f.yaml:1:4: error: 'n': -1 is out of range; write a whole number from 1 to 9");
  EXPECT_EQ(problems_of("n: 99999999999999999999", read_n),
            "f.yaml:1:4: error: 'n': '99999999999999999999' is not a whole number; write one from 1 to 9");
  EXPECT_EQ(problems_of("n:", read_n),
            "f.yaml:1:1: error: 'n' must be a whole number, not nothing; write one from 1 to 9");
  EXPECT_EQ(problems_of("n: {a: 1}", read_n),
            "f.yaml:1:4: error: 'n' must be a whole number, not a map; write one from 1 to 9");
  EXPECT_EQ(problems_of("just text", read_n), "f.yaml:1:1: error: the file must be a map (key: value), not text");
  EXPECT_EQ(problems_of("[n]", [](MapReader& map) { (void)map.text("needed"); }),
            "f.yaml:1:1: error: the file must be a map (key: value), not a list");
  const auto read_x = [](MapReader& map) { EXPECT_EQ(map.number("x", 0, 1, 0.5), 0.5); };
  for (const char* bad : {"nan", ".nan", "-.inf", "1e999", "0x1", "abc", "''"})
    EXPECT_NE(problems_of(std::string("x: ") + bad, read_x), "") << bad;
}

TEST(MapReader, unknown_keys_without_a_near_one_list_what_is_known) {
  EXPECT_EQ(problems_of("zzz: 1\nsub: {qqqq: 1}\n",
                        [](MapReader& map) {
                          Problems inner;
                          (void)map.text("name", "x");
                          (void)map.node("sub");
                        }),
            "f.yaml:1:1: error: unknown key 'zzz'; remove it (known: name, sub)");
}

TEST(MapReader, messages_stay_on_one_short_line) {
  const auto message = problems_of("n: \"a\\nb\\x07" + std::string(500, 'x') + "\"",
                                   [](MapReader& map) { (void)map.integer("n", 1, 9, 3); });
  EXPECT_EQ(message.find('\n'), std::string::npos);
  EXPECT_NE(message.find("a\\x0ab\\x07xxx"), std::string::npos);
  EXPECT_LT(message.size(), 200U);
}

// Twice the keys may take twice the time and a half, not four times: each key is counted, none is looked for.
TEST(ConfigDocument, many_keys_take_no_more_than_their_share) {
  const auto ticks = [](int keys) {
    std::string text;
    for (int i = 0; i < keys; ++i) text += fmt::format("key_{}: {}\n", i * 7919 % keys, i);
    const std::clock_t began = std::clock();  // of this process: other work on the machine does not count
    const auto document = ConfigDocument::parse(text, "f.yaml");
    Problems problems;
    MapReader map(document.root(), problems);
    for (int i = 0; i < keys / 4; ++i) EXPECT_TRUE(map.has(fmt::format("key_{}", i)));
    (void)map.node("key_0");
    map.finish();
    EXPECT_EQ(problems.list().size(), static_cast<std::size_t>(keys) - 1);
    const auto told = problems_thrown(problems);
    EXPECT_EQ(told.size(), Problems::told_max + 1);
    EXPECT_EQ(told.back().message, fmt::format("and {} more", keys - 1 - 100));
    return static_cast<double>(std::clock() - began);
  };
  (void)ticks(1000);
  const double few = std::min(ticks(10'000), ticks(10'000));
  EXPECT_LT(ticks(80'000), 8 * 3 * few);  // quadratic: 64 times
}

TEST(ConfigDocument, long_keys_and_deep_paths_do_not_fill_the_memory) {
  EXPECT_EQ(problems_of("? " + std::string(1025, 'k') + "\n: 1\n"),
            "f.yaml:1:3: error: a key of 1025 characters; 1024 at most");
  // 60 levels of keys of 1,000 letters, and 100,000 values below: 6 GB of paths.
  std::string text;
  for (int i = 0; i < 60; ++i) text += std::string(static_cast<std::size_t>(i), ' ') + std::string(1000, 'k') + ":\n";
  text += std::string(60, ' ') + "[";
  for (int i = 0; i < 100'000; ++i) text += "1,";
  EXPECT_NE(problems_of(text + "1]\n").find("more than 512 MiB of memory"), std::string::npos);
}

TEST(ConfigDocument, keys_are_found_whatever_set_does_to_a_map) {
  auto document = ConfigDocument::parse("{d: 1, b: 2, a: 3, c: 4}", "f.yaml");
  const auto at = [&](std::string_view key) {
    const auto value = document.root().get(key);
    return value ? value.text() : std::string("-");
  };
  EXPECT_EQ(at("a") + at("b") + at("c") + at("d") + at("e"), "3241-");
  document.set("e=5", 1);
  document.set("b=", 2);
  document.set("a=6", 3);
  EXPECT_EQ(at("a") + at("b") + at("c") + at("d") + at("e"), "6-415");
}

TEST(DidYouMean, near_and_far) {
  static constexpr std::array<std::string_view, 4> names = {"max_batch", "utilization", "page", "kv_pool"};
  EXPECT_EQ(did_you_mean("max-batch", names), "; did you mean 'max_batch'?");
  EXPECT_EQ(did_you_mean("Kv_Pool", names), "; did you mean 'kv_pool'?");
  EXPECT_EQ(did_you_mean("util", names), "; did you mean 'utilization'?");
  EXPECT_EQ(did_you_mean("pgae", names), "; did you mean 'page'?");
  EXPECT_EQ(did_you_mean("colour", names), "");
  EXPECT_EQ(did_you_mean("name", names), "");  // two letters of four from "page": a guess, not a typing error
  EXPECT_EQ(did_you_mean("", names), "");
  EXPECT_EQ(did_you_mean(std::string(100000, 'x'), names), "");
}
}  // namespace
}  // namespace stowage
