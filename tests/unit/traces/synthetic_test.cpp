// Moments of the generators, at sample sizes where five standard errors are a narrow band.
#include "helpers.hpp"

namespace stowage::test {
namespace {
constexpr std::uint64_t n = 400'000;

SyntheticSpec spec_of(ArrivalKind arrivals, double rate_per_s) {
  SyntheticSpec spec;
  spec.arrivals = arrivals;
  spec.rate_per_s = rate_per_s;
  spec.count = n;
  return spec;
}
TraceInfo info_of(const SyntheticSpec& spec, std::uint64_t seed = 7) {
  return trace_info(*synthetic_workload(spec, seed));
}
LengthStats lengths_of(const LengthSpec& lengths) {
  SyntheticSpec spec = spec_of(ArrivalKind::burst, 0);
  spec.prompt = lengths;
  return info_of(spec).prompt;
}
std::string refusal(SyntheticSpec spec) {
  try {
    (void)synthetic_workload(spec, 1);
  } catch (const InputError& e) { return e.what(); }
  return {};
}
std::string refusal(const LengthSpec& lengths) {
  SyntheticSpec spec = spec_of(ArrivalKind::poisson, 1);
  spec.output = lengths;
  return refusal(spec);
}

TEST(Arrivals, Poisson) {
  const TraceInfo info = info_of(spec_of(ArrivalKind::poisson, 50));
  EXPECT_EQ(info.requests, n);
  EXPECT_NEAR(info.rate_per_s, 50, 50 * 5 / std::sqrt(n));  // relative error of the mean gap: 1 / sqrt(n)
  EXPECT_NEAR(info.cv, 1, 0.01);                            // five errors of about 1 / sqrt(n)
  EXPECT_NEAR(info.dispersion_1s.value_or(0), 1, 0.08);     // 8,000 windows: error sqrt(2 / 8,000) = 0.016
  EXPECT_NEAR(info.dispersion_10s.value_or(0), 1, 0.25);    // 800 windows: 0.05
}

TEST(Arrivals, Gamma) {
  for (const double cv : {0.25, 3.0}) {
    SyntheticSpec spec = spec_of(ArrivalKind::gamma, 50);
    spec.cv = cv;
    const TraceInfo info = info_of(spec);
    EXPECT_NEAR(info.rate_per_s, 50, 50 * 5 * cv / std::sqrt(n));
    EXPECT_NEAR(info.cv, cv, cv * 0.05);
    // A renewal process' counts over long windows disperse by cv^2.
    EXPECT_NEAR(info.dispersion_10s.value_or(0), cv * cv, 0.3 * cv * cv);
  }
}

TEST(Arrivals, ConstantIsExactAndDoesNotDrift) {
  SyntheticSpec spec = spec_of(ArrivalKind::constant, 3);
  const auto requests = read_all(*synthetic_workload(spec, 1));
  EXPECT_EQ(requests[0].arrival_ns, 0);
  EXPECT_EQ(requests[1].arrival_ns, 333'333'333);
  EXPECT_EQ(requests[2].arrival_ns, 666'666'667);
  EXPECT_EQ(requests[300'000].arrival_ns, 100'000'000'000'000);
  EXPECT_NEAR(info_of(spec).cv, 0, 1e-8);
}

TEST(Arrivals, BurstIsAllAtOnce) {
  const auto requests = read_all(*synthetic_workload(spec_of(ArrivalKind::burst, 0), 1));
  EXPECT_EQ(requests.size(), n);
  EXPECT_EQ(requests.back().arrival_ns, 0);
  EXPECT_EQ(requests.back().id, n - 1);
}

TEST(Lengths, Fixed) {
  const LengthStats got = lengths_of({.kind = LengthKind::fixed, .value = 123});
  EXPECT_EQ(got.mean, 123);
  EXPECT_EQ(got.max, 123);
}

TEST(Lengths, UniformIncludesBothEnds) {
  LengthSpec lengths{.kind = LengthKind::uniform};
  lengths.min = 11;
  lengths.max = 20;
  EXPECT_NEAR(lengths_of(lengths).mean, 15.5, 5 * 2.872 / std::sqrt(n));  // sd sqrt(99 / 12) = 2.872
  EXPECT_EQ(lengths_of(lengths).p50, 15);
  EXPECT_EQ(lengths_of(lengths).max, 20);
  lengths.min = lengths.max = 5;
  EXPECT_EQ(lengths_of(lengths).mean, 5);
}

TEST(Lengths, LognormalByAnyTwo) {
  // sigma = 1: mean = p50 x e^0.5 = 1,000 x 1.648721; p90 = p50 x e^1.281552 = 3,602.2.
  LengthSpec by_median{.kind = LengthKind::lognormal};
  by_median.p50 = 1000;
  by_median.sigma = 1;
  LengthSpec by_mean{.kind = LengthKind::lognormal};
  by_mean.mean = 1648.721;
  by_mean.sigma = 1;
  LengthSpec by_both{.kind = LengthKind::lognormal};
  by_both.mean = 1648.721;
  by_both.p50 = 1000;
  for (const LengthSpec& lengths : {by_median, by_mean, by_both}) {
    const LengthStats got = lengths_of(lengths);
    EXPECT_NEAR(got.mean, 1648.7, 5 * 2161 / std::sqrt(n));  // sd = mean x sqrt(e - 1) = 2,161
    EXPECT_NEAR(static_cast<double>(got.p50), 1000, 10);
    EXPECT_NEAR(static_cast<double>(got.p90), 3602, 50);
  }
  by_both.min = 800;
  by_both.max = 2000;
  const LengthStats clipped = lengths_of(by_both);
  EXPECT_EQ(clipped.max, 2000);
  EXPECT_EQ(clipped.p90, 2000);  // p90 before clipping is 3,602
  EXPECT_NEAR(static_cast<double>(clipped.p50), 1000, 10);
  for (const Request& r :
       read_all(*synthetic_workload({.arrivals = ArrivalKind::burst, .count = 1000, .prompt = by_both}, 3))) {
    ASSERT_GE(r.prompt_tokens, 800);
  }
}

TEST(Lengths, QuantilesAreInterpolated) {
  LengthSpec lengths{.kind = LengthKind::quantiles};
  lengths.quantiles = {{0, 10}, {0.5, 110}, {0.9, 110}, {1, 1110}};
  const LengthStats got = lengths_of(lengths);
  // Mean: 0.5 x 60 + 0.4 x 110 + 0.1 x 610 = 135; sd below 250.
  EXPECT_NEAR(got.mean, 135, 5 * 250 / std::sqrt(n));
  EXPECT_EQ(got.p50, 110);
  EXPECT_NEAR(static_cast<double>(got.p99), 1010, 10);  // 0.9 of the way through the last part
  EXPECT_GT(got.max, 1100);
  EXPECT_LE(got.max, 1110);
}

TEST(Synthetic, SameSeedSameRequests) {
  SyntheticSpec spec = find_synthetic_preset("azure-conv-2023")->make();
  const auto workload = synthetic_workload(spec, 42);
  const std::string whole = listed(read_all(*workload));
  EXPECT_EQ(listed(read_all(*workload, 7)), whole);  // a second stream, in odd chunks
  EXPECT_EQ(listed(read_all(*synthetic_workload(spec, 42))), whole);
  EXPECT_NE(listed(read_all(*synthetic_workload(spec, 43))), whole);
}

TEST(Synthetic, StreamsAreIndependent) {
  SyntheticSpec spec = find_synthetic_preset("azure-conv-2023")->make();
  const auto before = read_all(*synthetic_workload(spec, 1));
  spec.prompt = {.kind = LengthKind::fixed, .value = 5};
  spec.arrivals = ArrivalKind::constant;
  const auto after = read_all(*synthetic_workload(spec, 1));
  for (std::size_t i = 0; i < before.size(); ++i) ASSERT_EQ(before[i].output_tokens, after[i].output_tokens);
}

TEST(Synthetic, PresetIsNearThePublishedTrace) {
  const auto* preset = find_synthetic_preset("azure-conv-2023");
  ASSERT_NE(preset, nullptr);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const TraceInfo info = info_of(preset->make(), seed);
    EXPECT_EQ(info.requests, 19'366U);
    EXPECT_NEAR(info.rate_per_s, 5.53, 5.53 * 0.04);  // gaps: 1.094 / sqrt(19,366) = 0.8 %, five of them
    EXPECT_NEAR(info.cv, 1.094, 0.05);
    EXPECT_NEAR(info.prompt.mean, 1155, 1155 * 0.03);
    EXPECT_NEAR(info.output.mean, 211, 211 * 0.03);
    EXPECT_NEAR(static_cast<double>(info.prompt.p50), 1020, 20);
    EXPECT_NEAR(static_cast<double>(info.output.p90), 424, 10);
    EXPECT_LE(info.prompt.max, 14'050);
  }
  EXPECT_EQ(find_synthetic_preset("azure"), nullptr);
}

TEST(Synthetic, BadSpecsAreRefused) {
  SyntheticSpec spec = spec_of(ArrivalKind::poisson, 0);
  EXPECT_EQ(refusal(spec), "error: rate must be above 0");
  spec.rate_per_s = 1e-12;
  EXPECT_EQ(refusal(spec), "error: count / rate is over 36 years; raise the rate or lower the count");
  spec.rate_per_s = 1;
  spec.count = 0;
  EXPECT_EQ(refusal(spec), "error: count must be at least 1");
  spec = spec_of(ArrivalKind::gamma, 1);
  spec.cv = 0;
  EXPECT_EQ(refusal(spec), "error: cv of gamma arrivals must lie in 0.01 ... 100; 1 is poisson");

  EXPECT_EQ(refusal({.kind = LengthKind::fixed, .value = 0}),
            "error: output.fixed: 0 is not a length; it lies in 1 ... 10000000 tokens");
  LengthSpec uniform{.kind = LengthKind::uniform};
  uniform.min = 9;
  uniform.max = 8;
  EXPECT_EQ(refusal(uniform), "error: output: min 9 is above max 8");
  LengthSpec lognormal{.kind = LengthKind::lognormal};
  lognormal.mean = 100;
  EXPECT_EQ(refusal(lognormal), "error: output: lognormal needs two of mean, p50 and sigma");
  lognormal.p50 = 101;
  EXPECT_EQ(refusal(lognormal), "error: output: a lognormal's mean (100) is not below its p50 (101)");
  lognormal.p50.reset();
  lognormal.sigma = -1;
  EXPECT_NE(refusal(lognormal), "");
  LengthSpec quantiles{.kind = LengthKind::quantiles};
  for (const auto& bad : std::vector<std::vector<std::pair<double, double>>>{{},
                                                                             {{0, 5}},
                                                                             {{0.1, 5}, {1, 6}},
                                                                             {{0, 5}, {0.9, 6}},
                                                                             {{0, 5}, {0.5, 6}, {0.5, 7}, {1, 8}},
                                                                             {{0, 5}, {1, 4}},
                                                                             {{0, 0}, {1, 4}},
                                                                             {{0, 1}, {1, 1e8}},
                                                                             {{0, std::nan("")}, {1, 4}},
                                                                             {{0, 1}, {std::nan(""), 2}, {1, 4}}}) {
    quantiles.quantiles = bad;
    EXPECT_NE(refusal(quantiles), "");
  }
}
}  // namespace
}  // namespace stowage::test
