// JSON read with distrust: what is wrong is told with its place, and nothing else comes out.
#include "base/json_reader.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>

namespace stowage {
namespace {
std::string parsed(std::string_view text) {
  try {
    return parse_json(text, "f.json", "a result").dump();
  } catch (const InputError& e) { return e.what(); }
}

/// What is wrong when `read` reads the text.
std::string wrong(std::string_view text, const std::function<void(const JsonReader&)>& read) {
  Problems problems;
  const auto document = parse_json(text, "f.json", "a result");
  read(JsonReader(document, "f.json", problems));
  try {
    problems.throw_if_any();
  } catch (const InputError& e) { return e.what(); }
  return "";
}

TEST(ParseJson, gives_what_nlohmann_gives) {
  for (const std::string text :
       {R"({"z":1,"a":[1,-2,3.5,true,false,null,"x\nü"],"o":{"":{}},"l":[[],[[]]]})", "3", "\"x\"", "null", "[]", "{}",
        "18446744073709551615", "-9223372036854775808", "1e308", "[{\"a\":1},{\"a\":2}]"})
    EXPECT_EQ(parsed(text), nlohmann::ordered_json::parse(text).dump());
}

TEST(ParseJson, says_what_is_wrong_and_where) {
  EXPECT_EQ(parsed(""), "f.json:1:1: error: the file is empty; it should be a result");
  EXPECT_EQ(parsed(" \n"), "f.json:2:1: error: the file is empty; it should be a result");
  EXPECT_EQ(parsed("{\n \"a\": nope}"), "f.json:2:8: error: not JSON from here on; it should be a result");
  EXPECT_EQ(parsed("{\"a\": 1"),
            "f.json:1:8: error: the file ends in the middle: it should be a result; copy or make it anew");
  EXPECT_EQ(parsed("{\"a\": [1,\n1e309]}"),
            "f.json:2:5: error: a number here is larger than any that can be read (1.8e308)");
  EXPECT_EQ(parsed(R"({"a": {"b": 1, "c": 2, "b": 3}})"), "f.json: error: /a/c: the key 'b' comes twice");
  EXPECT_EQ(parsed(std::string(64, '[') + std::string(64, ']')).size(), 128U);
  EXPECT_NE(parsed(std::string(65, '[')).find("nested deeper than 64 levels"), std::string::npos);
  for (const char* unit : {"[", "{\"a\":", "[{\"a\":", "\"", "\\", "[1,", "-", "\x00", "\xff"}) {
    std::string bomb;
    for (int i = 0; i < 200'000; ++i) bomb += unit;
    EXPECT_NE(parsed(bomb).find("error"), std::string::npos);
  }
}

TEST(ParseJson, many_keys_take_no_more_than_their_share) {
  const auto ticks = [](int keys) {
    std::string text = "{";
    for (int i = 0; i < keys; ++i) text += fmt::format("{}\"key_{}\":{}", i == 0 ? "" : ",", i, i);
    const std::clock_t began = std::clock();  // of this process: other work on the machine does not count
    EXPECT_EQ(parse_json(text + "}", "f", "x").size(), static_cast<std::size_t>(keys));
    return static_cast<double>(std::clock() - began);
  };
  (void)ticks(1000);
  const double few = std::min(ticks(20'000), ticks(20'000));
  EXPECT_LT(ticks(160'000), 8 * 3 * few);  // quadratic: 64 times
}

TEST(JsonReader, reads_what_is_there) {
  EXPECT_EQ(wrong(R"({"t": "x", "f": true, "i": 3, "n": 2.5, "l": [1, 2], "o": {"k": null}, "whole": 4})",
                  [](const JsonReader& in) {
                    EXPECT_EQ(in["t"].text(), "x");
                    EXPECT_TRUE(in["f"].flag());
                    EXPECT_EQ(in["i"].integer(3, 3), 3);
                    EXPECT_EQ(in["n"].number(2.5, 2.5), 2.5);
                    EXPECT_EQ(in["whole"].number(0, 9), 4);
                    EXPECT_EQ(in["l"][1].integer(0, 9), 2);
                    EXPECT_EQ(in["l"].numbers(0, 9), (std::vector<double>{1, 2}));
                    EXPECT_EQ(in["l"].items().size(), 2U);
                    EXPECT_EQ(in["o"].entries().size(), 1U);
                    EXPECT_FALSE(in["o"].has("k"));
                    EXPECT_EQ(in.find("absent").number(0, 1, 0.5), 0.5);
                    EXPECT_EQ(in.find("absent")["deeper"][3].text("?"), "?");
                    static constexpr std::array<std::string_view, 2> names = {"other", "i"};
                    EXPECT_EQ(in.first_of(names).integer(0, 9), 3);
                    EXPECT_EQ(in["o"]["k"].pointer(), "/o/k");
                  }),
            "");
}

TEST(JsonReader, tells_everything_that_is_wrong_once_with_its_place) {
  EXPECT_EQ(wrong(R"({"t": 1, "f": "x", "i": 3.5, "n": -1, "l": [1, "x", -7], "o": [], "big": 18446744073709551615,
                      "a/b~": {"c": null}})",
                  [](const JsonReader& in) {
                    EXPECT_EQ(in["t"].text("?"), "?");
                    EXPECT_TRUE(in["f"].flag(true));
                    EXPECT_EQ(in["i"].integer(0, 9, 5), 5);
                    EXPECT_EQ(in["n"].number(0, 9, 5), 5);
                    EXPECT_EQ(in["l"].numbers(0, 9), (std::vector<double>{1, 0, 0}));
                    (void)in["o"]["x"]["y"].text();  // one complaint, not three
                    (void)in["big"].integer(0, INT64_MAX);
                    (void)in["a/b~"]["c"].integer(0, 9);
                    (void)in["l"][9].text();
                    (void)in["absent"].items();
                  }),
            "f.json: error: /t: must be a text, not 1\n"
            "f.json: error: /f: must be true or false, not \"x\"\n"
            "f.json: error: /i: must be a whole number from 0 to 9, not 3.5\n"
            "f.json: error: /n: must be a number from 0 to 9, not -1\n"
            "f.json: error: /l/1: must be a number from 0 to 9, not \"x\"\n"
            "f.json: error: /l/2: must be a number from 0 to 9, not -7\n"
            "f.json: error: /o: must be an object {…}, not a list of 0\n"
            "f.json: error: /big: must be a whole number from 0 to 9223372036854775807, not 18446744073709551615\n"
            "f.json: error: /a~1b~0/c: must be a whole number from 0 to 9, not null\n"
            "f.json: error: /l: must be a list […] of 10 values at least, not a list of 3\n"
            "f.json: error: no 'absent'");
}
}  // namespace
}  // namespace stowage
