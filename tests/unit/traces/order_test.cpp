// Who comes first, and what has nothing to do with what.
#include <cmath>

#include "base/rng.hpp"
#include "helpers.hpp"

namespace stowage::test {
namespace {
std::vector<Request> all_of(const Workload& workload) {
  std::vector<Request> out(100'000);
  out.resize(workload.open()->read(out));
  return out;
}

/// Requests of one time stand in the order they were written in, whatever else they are.
TEST(Order, OfEqualTimesIsThatOfTheInput) {
  Rng rng(2, "order");
  std::vector<Request> written;
  std::string text = std::string(canonical_header) + "\n";
  for (std::uint64_t i = 0; i < 500; ++i) {
    const auto at = static_cast<std::int64_t>(rng.below(20));
    const auto prompt = static_cast<std::int32_t>(1 + rng.below(50)), output = static_cast<std::int32_t>(i + 1);
    written.push_back({at, prompt, output, 0});
    text += std::to_string(at) + "," + std::to_string(prompt) + "," + std::to_string(output) + "\n";
  }
  const TempFile file(text);
  TraceLedger ledger;
  const auto from_file = all_of(*open_trace({.path = file.path()}, ledger));
  const auto inline_ = all_of(*inline_workload(written));
  for (const auto* requests : {&from_file, &inline_}) {
    ASSERT_EQ(requests->size(), 500U);
    for (std::size_t i = 1; i < requests->size(); ++i) {
      const Request &a = (*requests)[i - 1], &b = (*requests)[i];
      ASSERT_LE(a.arrival_ns, b.arrival_ns);
      if (a.arrival_ns == b.arrival_ns) { ASSERT_LT(a.output_tokens, b.output_tokens) << "as they were written"; }
    }
  }
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) mx += x[i] / n, my += y[i] / n;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mx) * (x[i] - mx);
    yy += (y[i] - my) * (y[i] - my);
    xy += (x[i] - mx) * (y[i] - my);
  }
  return xy / std::sqrt(xx * yy);
}

/// Gaps, prompts and answers are drawn apart: of n draws a correlation is N(0, 1 / n), so that 5 / sqrt(n) is no
/// chance.
TEST(Synthetic, GapsPromptsAndAnswersHaveNothingToDoWithEachOther) {
  SyntheticSpec spec;
  spec.rate_per_s = 10;
  spec.count = 20'000;
  spec.prompt.kind = spec.output.kind = LengthKind::uniform;
  spec.prompt.min = spec.output.min = 1;
  spec.prompt.max = spec.output.max = 1000;
  for (const std::uint64_t seed : {0U, 1U, 77U}) {
    const auto requests = all_of(*synthetic_workload(spec, seed));
    std::vector<double> gap, prompt, output, next;
    for (std::size_t i = 1; i + 1 < requests.size(); ++i) {
      gap.push_back(static_cast<double>(requests[i].arrival_ns - requests[i - 1].arrival_ns));
      prompt.push_back(requests[i].prompt_tokens);
      output.push_back(requests[i].output_tokens);
      next.push_back(requests[i + 1].prompt_tokens);
    }
    const double chance = 5 / std::sqrt(static_cast<double>(gap.size()));
    EXPECT_LT(std::abs(correlation(prompt, output)), chance);
    EXPECT_LT(std::abs(correlation(prompt, gap)), chance);
    EXPECT_LT(std::abs(correlation(output, gap)), chance);
    EXPECT_LT(std::abs(correlation(prompt, next)), chance);
  }
}
}  // namespace
}  // namespace stowage::test
