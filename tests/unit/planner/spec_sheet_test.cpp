// What a plan says where it ranks steps priced from spec sheets against steps that somebody timed.
#include "planner/spec_sheet.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "helpers.hpp"

namespace stowage {
namespace {
Candidate candidate(std::string hardware, Grounds grounds) {
  static const auto scenario = std::make_shared<const Scenario>();
  Candidate c;
  c.scenario = scenario;
  c.hardware = std::move(hardware);
  c.grounds = grounds;
  return c;
}

std::vector<std::size_t> in_order(std::size_t n) {
  std::vector<std::size_t> out(n);
  std::iota(out.begin(), out.end(), std::size_t{0});
  return out;
}

TEST(SpecSheet, AWinnerOfTheSpecSheetAmongOthersIsSaidToBeFlattered) {
  const std::vector<Candidate> all = {candidate("l40s", Grounds::roofline), candidate("a100-80gb", Grounds::published)};
  const std::string words = spec_sheet_caveat(all, in_order(2));
  EXPECT_TRUE(words.starts_with("l40s is priced by its spec sheet")) << words;
  EXPECT_NE(words.find("16 to 33 %"), std::string::npos) << words;
  const std::string note = spec_sheet_note(all);
  EXPECT_TRUE(note.starts_with("l40s is priced by spec sheet (roofline), a100-80gb by kernel times")) << note;
}

TEST(SpecSheet, ATimedWinnerNamesThoseOfTheSpecSheetAmongTheTenBestOnly) {
  std::vector<Candidate> all(12, candidate("h100-sxm-80gb", Grounds::measured));
  all[9] = candidate("l40s", Grounds::roofline);
  all[10] = candidate("b200", Grounds::roofline);  // the eleventh
  const std::string words = spec_sheet_caveat(all, in_order(12));
  EXPECT_TRUE(words.starts_with("Among the ten best l40s is priced by spec sheet")) << words;
  EXPECT_EQ(words.find("b200"), std::string::npos) << words;
  all[9] = all[0];
  EXPECT_EQ(spec_sheet_caveat(all, in_order(12)), "");
}

TEST(SpecSheet, PricesOfOneKindAreNotAgainstAnything) {
  const std::vector<Candidate> sheets = {candidate("l40s", Grounds::roofline), candidate("b200", Grounds::roofline)};
  EXPECT_EQ(spec_sheet_caveat(sheets, in_order(2)), "");
  EXPECT_NE(spec_sheet_note(sheets).find("never measured"), std::string::npos);
  // The user's own coefficients are nobody's timing; what is impossible has no price.
  std::vector<Candidate> linear = {candidate("l40s", Grounds::roofline), candidate("x", Grounds::linear),
                                   candidate("a100-80gb", Grounds::published)};
  linear[2].scenario = nullptr;
  EXPECT_EQ(spec_sheet_caveat(linear, in_order(2)), "");
  EXPECT_EQ(spec_sheet_caveat(std::vector(2, candidate("a", Grounds::measured)), in_order(2)), "");
  EXPECT_EQ(spec_sheet_note(std::vector(2, candidate("a", Grounds::scaled))), "");
  EXPECT_EQ(spec_sheet_caveat(sheets, {}), "");
}

/// The decision itself carries it: an L40S has no profile, an A100 a published one.
TEST(SpecSheet, TheDecisionCarriesIt) {
  const testing::TempFolder folder;
  const Plan plan = make_plan(testing::study_of(folder, R"(scenario:
  model: llama-3-8b
  hardware: l40s
  workload: {synthetic: {rate: 4/s, count: 400, prompt: 500, output: 50}}
  scheduler: {max_batch: 64, max_batched_tokens: 2048, max_model_len: 2048}
  managers: [{kind: paged}]
space: {hardware: [l40s, a100-80gb]}
slo: {ttft_p99: 2s}
probe: {requests: 400, precision: 5%}
search: {draws: 2}
prices: {l40s: {usd_per_node_hour: 1, gpus_per_node: 1}, a100-80gb: {usd_per_node_hour: 8, gpus_per_node: 1}}
)"),
                              2);
  ASSERT_TRUE(plan.decision.feasible);
  EXPECT_EQ(plan.bench.candidates[*plan.decision.winner].hardware, "l40s");
  EXPECT_NE(plan.decision.text.find("unproven"), std::string::npos);
  EXPECT_NE(plan.decision.text.find("l40s is priced by its spec sheet"), std::string::npos) << plan.decision.text;
  EXPECT_EQ(plan.bench.notes.back(), spec_sheet_note(plan.bench.candidates));
}
}  // namespace
}  // namespace stowage
