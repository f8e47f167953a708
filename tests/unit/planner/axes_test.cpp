#include "planner/axes.hpp"

#include <gtest/gtest.h>

namespace stowage {
namespace {
std::vector<std::string> range(std::string_view text) {
  Problems problems;
  auto out = range_values(text, {}, problems);
  problems.throw_if_any();
  return out;
}
Axis vary(std::string_view text) {
  Problems problems;
  auto out = read_vary(text, 1, problems);
  problems.throw_if_any();
  return out;
}
using Texts = std::vector<std::string>;

TEST(Axes, RangesHaveBothEndsAndKeepTheirUnit) {
  EXPECT_EQ(range("2/s..20/s:10"), (Texts{"2/s", "4/s", "6/s", "8/s", "10/s", "12/s", "14/s", "16/s", "18/s", "20/s"}));
  EXPECT_EQ(range("2..20/s:3"), (Texts{"2/s", "11/s", "20/s"}));
  EXPECT_EQ(range("32..512:x2"), (Texts{"32", "64", "128", "256", "512"}));
  EXPECT_EQ(range("1..4"), (Texts{"1", "2", "3", "4"}));
  EXPECT_EQ(range("0.1..0.2:2"), (Texts{"0.1", "0.2"}));
  EXPECT_EQ(range("1GiB..2GiB:2"), (Texts{"1GiB", "2GiB"}));
}
TEST(Axes, WhatIsNoRangeIsLeftAlone) {
  EXPECT_EQ(range("../models/x.yaml"), Texts{});
  EXPECT_EQ(range("16"), Texts{});
  EXPECT_EQ(range("a..b"), Texts{});
}
TEST(Axes, BadRangesSayWhatIsWrong) {
  for (const auto* text : {"4..1", "1..2:0", "1..2:1", "0..8:x2", "1..8:x1", "0.5..2", "1s..2ms:3", "1..2:"})
    EXPECT_THROW((void)range(text), InputError) << text;
}
TEST(Axes, VaryPartsAtCommasOutsideBrackets) {
  const Axis axis = vary("managers=[{kind: paged, block_size: 16}],[{kind: reserve}]");
  ASSERT_EQ(axis.values.size(), 2U);
  EXPECT_EQ(axis.values[0].text, "[{kind: paged, block_size: 16}]");
  EXPECT_EQ(vary("cluster.tensor=1,2,4").values.size(), 3U);
  EXPECT_EQ(vary("workload.rate_scale=1..4,8").values.size(), 5U);
}
TEST(Axes, EmptyAndRepeatedValuesAreRefused) {
  for (const auto* text : {"cluster.tensor", "=1", "a=", "a=1,1", "a=1..3,2", "a=[1"})
    EXPECT_THROW((void)vary(text), InputError) << text;
}
TEST(Axes, ControlCharactersAreRefused) {
  for (const auto* text : {"name=5\n6", "name=a\tb", "a=1,\r2", "a\n=1", "name=\x7f"})
    EXPECT_THROW((void)vary(text), InputError) << text;
}
TEST(Axes, ALoneValueIsWhatSetTakesItFor) {
  for (const auto* text : {"name=---", "name=...", "name=-", "name=--- 5", "name=\xef\xbb\xbf" "5"})
    EXPECT_THROW((void)vary(text), InputError) << text;
  for (const auto* text : {"name='---'", "name=-5", "name= 5 ", "name=a-b", "name=[5]", "name='a', b"})
    EXPECT_NO_THROW((void)vary(text)) << text;
}
TEST(Axes, PointsAreNumberedLastAxisFastest) {
  const Space space({vary("a=1,2"), vary("b.c=x,y,z")});
  ASSERT_EQ(space.size(), 6U);
  EXPECT_EQ(space.at(4)[0]->text, "2");
  EXPECT_EQ(space.at(4)[1]->text, "y");
  EXPECT_EQ(space.sets(4), "--set a=2 --set b.c=y");
  const auto document = space.document(ConfigDocument::parse("a: 0\nb: {d: 1}\n", "f"), 4);
  EXPECT_EQ(flow_text(document.root()), "{a: 2, b: {d: 1, c: y}}");
}
TEST(Axes, SetsAreQuotedForAShell) {
  EXPECT_EQ(Space({vary("m=[{kind: paged}]")}).sets(0), "--set 'm=[{kind: paged}]'");
}
TEST(Axes, OneAxisTwiceIsRefused) { EXPECT_THROW(Space({vary("a=1"), vary("a=2")}), InputError); }
TEST(Axes, AnAxisThatAnotherUndoesIsRefused) {
  EXPECT_THROW(Space({vary("s.b=1,2"), vary("s={c: 1},{c: 2}")}), InputError);
  EXPECT_THROW(Space({vary("s={b: 1},{c: 2}"), vary("s.b=1,2")}), InputError);
  EXPECT_EQ(Space({vary("s={c: 1},{c: 2}"), vary("s.b=1,2")}).size(), 4U);
}
TEST(Axes, OfMapsWhatDiffersIsShown) {
  const Axis axis = vary("scheduler={policy: vllm, max_batch: 8, max_model_len: 64},{policy: x, max_model_len: 64}");
  const auto parts = parts_of(axis);
  ASSERT_EQ(parts.size(), 2U);  // all have the same max_model_len
  EXPECT_EQ(parts[0].word + " " + parts[0].text(axis.values[1]), "policy x");
  EXPECT_EQ(parts[1].word + " " + parts[1].text(axis.values[0]), "batch 8");
  EXPECT_EQ(parts[1].text(axis.values[1]), "");
}
TEST(Axes, NoAxisIsOnePoint) { EXPECT_EQ(Space(std::vector<Axis>{}).size(), 1U); }
}  // namespace
}  // namespace stowage
