// What no service has seen is told, with the unit that the numbers are likely in.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/source_dir.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {
/// 501 requests in 100 s, 5.01/s, with times so many to the second.
TraceLedger of_unit(std::int64_t a_second) {
  TraceLedger ledger;
  ledger.kept = ledger.rows = 501;
  ledger.first_ns = 7 * a_second;
  ledger.last_ns = 107 * a_second;
  ledger.prompt_sum = 501 * 1000, ledger.output_sum = 501 * 200;
  ledger.prompt_max = 8000, ledger.output_max = 2000;
  return ledger;
}
std::string only(const std::vector<std::string>& warnings) {
  return warnings.size() == 1 ? warnings.front() : "not one";
}
/// Is this in what the one warning says?
void expect_said(const std::string& warning, std::string_view part) {
  EXPECT_NE(warning.find(part), std::string::npos) << warning;
}

// 501 in 100 s are 5.01/s; read as nanoseconds, microseconds make 5,010/s, milliseconds 5,010,000/s, seconds
// 5,010,000,000/s.
TEST(Plausible, TheUnitOfTimesIsNamed) {
  EXPECT_TRUE(implausible(of_unit(1'000'000'000)).empty());
  expect_said(only(implausible(of_unit(1'000'000))), "give 5,010 requests/s");
  expect_said(only(implausible(of_unit(1'000'000))), "are they microseconds, not nanoseconds? Then it is 5.01/s");
  expect_said(only(implausible(of_unit(1'000))), "are they milliseconds, not nanoseconds? Then it is 5.01/s");
  expect_said(only(implausible(of_unit(1))), "are they seconds, not nanoseconds? Then it is 5.01/s");
  TraceLedger slow = of_unit(1'000'000'000);  // 200 ms become 200,000 s: one request in 2.31 days
  slow.last_ns = slow.first_ns + 100'000'000'000'000'000;
  expect_said(only(implausible(slow)), "one request in 2.31 days");
  TraceLedger two_years = of_unit(1'000'000'000);  // a request in three hours, for 730 days
  two_years.kept = 5841;
  two_years.prompt_sum *= 12, two_years.output_sum *= 12;
  two_years.last_ns = two_years.first_ns + 730 * 86'400'000'000'000;
  expect_said(only(implausible(two_years)), "spans 730 days");
  TraceLedger burst = of_unit(1'000'000'000);  // all at once has no rate
  burst.last_ns = burst.first_ns;
  EXPECT_TRUE(implausible(burst).empty());
}

TEST(Plausible, TheUnitOfLengthsIsNamed) {
  const auto with = [](auto change) {
    TraceLedger ledger = of_unit(1'000'000'000);
    change(ledger);
    return only(implausible(ledger));
  };
  expect_said(with([](auto& l) { l.prompt_max = 2'097'153; }), "longest prompt has 2,097,153 tokens");
  EXPECT_EQ(with([](auto& l) { l.prompt_max = 2'097'152; }), "not one");
  expect_said(with([](auto& l) { l.prompt_sum = 501 * 300'000; }), "are they characters or bytes?");
  expect_said(with([](auto& l) { l.prompt_sum = 501 * 3; }), "are they thousands of tokens?");
  expect_said(with([](auto& l) { l.output_max = 262'145; }), "longest output");
  expect_said(with([](auto& l) { l.output_sum = 501 * 40'000; }), "outputs have on average 40,000");
}

TEST(Plausible, WhatIsWrittenHasItsUnits) {
  SyntheticSpec spec;
  spec.count = 2000;
  spec.rate_per_s = 50'000;  // of a scenario: more than any trace, less than all services together
  spec.prompt.value = 100, spec.output.value = 10;
  EXPECT_TRUE(implausible(*synthetic_workload(spec, 1)).empty());
  spec.rate_per_s = 1'000'000;
  expect_said(only(implausible(*synthetic_workload(spec, 1))), "requests a minute");
  spec.rate_per_s = 5, spec.prompt.value = 2;
  expect_said(only(implausible(*synthetic_workload(spec, 1))), "thousands of tokens");
}

/// The traces that are published are none of it.
TEST(Plausible, PresetsAreNot) {
  for (const auto& preset : synthetic_presets())
    EXPECT_TRUE(implausible(*synthetic_workload(preset.make(), 0)).empty()) << preset.name;
}

TEST(Plausible, TheTableOfTheDocsIsTheTable) {
  std::ifstream in(source_dir() + "/docs/cli.md");
  const std::string docs{std::istreambuf_iterator<char>(in), {}};
  for (const auto& b : plausible_bounds())
    EXPECT_NE(docs.find(fmt::format("| {} | {} | {} | {} |\n", b.what, b.limit, b.reason, b.likely)), std::string::npos)
        << b.what;
}
}  // namespace
}  // namespace stowage
