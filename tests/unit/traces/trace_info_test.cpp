#include "helpers.hpp"

namespace stowage::test {
namespace {
constexpr std::int64_t s = 1'000'000'000;

TEST(TraceInfo, OfAFewRequests) {
  // Gaps 1, 1, 4 s: mean 2, variance (1 + 1 + 4) / 3 = 2, cv = sqrt(2) / 2.
  // Windows of 1 s, whole ones 0 ... 5: counts 1 1 1 0 0 0, mean 1/2, variance 1/4, dispersion 1/2.
  const auto workload =
      inline_workload({{5 * s, 10, 1, 0}, {6 * s, 20, 2, 0}, {7 * s, 30, 3, 0}, {11 * s, 100'000, 4, 0}});
  const TraceInfo info = trace_info(*workload);
  EXPECT_EQ(info.rows, 4U);
  EXPECT_EQ(info.kept, 4U);
  EXPECT_EQ(info.requests, 4U);
  EXPECT_DOUBLE_EQ(info.duration_s, 6);
  EXPECT_DOUBLE_EQ(info.rate_per_s, 4.0 / 6);
  EXPECT_DOUBLE_EQ(info.cv, std::sqrt(2.0) / 2);
  EXPECT_DOUBLE_EQ(info.dispersion_1s.value_or(-1), 0.5);
  EXPECT_FALSE(info.dispersion_10s.has_value());
  EXPECT_DOUBLE_EQ(info.prompt.mean, 100'060 / 4.0);
  EXPECT_EQ(info.prompt.p50, 20);  // rank floor(0.5 x 3) = 1
  EXPECT_EQ(info.prompt.p90, 30);  // rank floor(2.7) = 2
  EXPECT_EQ(info.prompt.max, 100'000);
  EXPECT_DOUBLE_EQ(info.output.mean, 2.5);
  EXPECT_FALSE(info.prefix_hit);
}

TEST(TraceInfo, TurnsCountAsIfNoneTookTime) {
  // 0 s: 40 tokens. 3 s: 60, of which 40 + 4 - 1 are found. 4 s: a request of its own. 5 s: 70, 60 + 5 - 1 found.
  const auto workload =
      listed_workload({{{0, 40, 4}, 0, 0}, {{0, 60, 5}, 0, 3 * s}, {{5 * s, 70, 1}, 0, s}, {{4 * s, 9, 1}}});
  const TraceInfo info = trace_info(*workload);
  EXPECT_EQ(info.requests, 4U);
  EXPECT_DOUBLE_EQ(info.duration_s, 5);
  EXPECT_DOUBLE_EQ(info.prefix_hit.value_or(-1), (43.0 + 64) / (40 + 60 + 70 + 9));
}

TEST(TraceInfo, RanksDoNotSlipByRounding) {
  std::vector<Request> requests;
  for (int i = 0; i < 101; ++i) requests.push_back({i, 70'000 + i, 1 + i, 0});
  const TraceInfo info = trace_info(*inline_workload(requests));
  EXPECT_EQ(info.output.p50, 51);  // ranks 50, 90, 99 of 0 ... 100
  EXPECT_EQ(info.output.p90, 91);
  EXPECT_EQ(info.output.p99, 100);
  EXPECT_EQ(info.output.max, 101);
  EXPECT_EQ(info.prompt.p90, 70'090);  // lengths over 64 Ki are kept elsewhere
}

TEST(TraceInfo, OfOneRequestAndOfNone) {
  const TraceInfo one = trace_info(*inline_workload({{3 * s, 10, 1, 0}}));
  EXPECT_EQ(one.duration_s, 0);
  EXPECT_TRUE(std::isnan(one.rate_per_s));  // of one request there is none, S11.12
  EXPECT_TRUE(std::isnan(one.cv));
  EXPECT_FALSE(one.dispersion_1s.has_value());
  EXPECT_EQ(one.prompt.p99, 10);
  const TraceInfo none = trace_info(*inline_workload({}));
  EXPECT_EQ(none.requests, 0U);
  EXPECT_EQ(none.output.max, 0);
}

TEST(TraceInfo, TakesCountsFromTheLedger) {
  const TempFile file(std::string(canonical_header) + "\n0,1,1\n5,0,1\n9,1,1\n");
  TraceLedger ledger;
  const auto workload = open_trace({.path = file.path(), .repeat = 5}, ledger);
  const TraceInfo info = trace_info(*workload, &ledger);
  EXPECT_EQ(info.rows, 3U);
  EXPECT_EQ(info.kept, 2U);
  EXPECT_EQ(info.dropped.at("zero input"), 1U);
  EXPECT_EQ(info.requests, 10U);
}

TEST(TraceInfo, OfTheRealTrace) {
  TraceOptions options;
  options.path = azure_conv_path();
  if (options.path.empty()) GTEST_SKIP() << "the Azure 2023 conversation trace is not at hand";
  TraceLedger ledger;
  const auto workload = open_trace(options, ledger);
  const TraceInfo info = trace_info(*workload, &ledger);
  // As computed from the file by an independent script, to the digits printed there.
  EXPECT_EQ(info.rows, 19'366U);
  EXPECT_NEAR(info.duration_s, 3501.721937, 1e-9);
  EXPECT_NEAR(info.rate_per_s, 5.5304, 5e-5);
  EXPECT_NEAR(info.cv, 1.094, 5e-4);
  EXPECT_NEAR(info.dispersion_1s.value_or(0), 1.39, 5e-3);
  EXPECT_NEAR(info.dispersion_10s.value_or(0), 3.86, 5e-3);
  EXPECT_NEAR(info.dispersion_60s.value_or(0), 16.13, 5e-3);
  EXPECT_NEAR(info.prompt.mean, 1155, 0.5);
  EXPECT_EQ(info.prompt.p50, 1020);
  EXPECT_EQ(info.prompt.p90, 2734);
  EXPECT_EQ(info.prompt.p99, 4142);
  EXPECT_EQ(info.prompt.max, 14'050);
  EXPECT_NEAR(info.output.mean, 211, 0.5);
  EXPECT_EQ(info.output.p50, 129);
  EXPECT_EQ(info.output.p90, 424);
  EXPECT_EQ(info.output.p99, 601);
  EXPECT_EQ(info.output.max, 1000);
}
}  // namespace
}  // namespace stowage::test
