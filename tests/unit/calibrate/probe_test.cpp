// Probe files: what is read, and what is refused.
#include <gtest/gtest.h>

#include "calibrate/calibrate.hpp"
#include "calibrate/engine_log.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {
const std::string measurements = source_dir() + "/calibrate/measurements/";

std::string refused(std::string_view text) {
  try {
    (void)parse_probe(text, "p.json");
  } catch (const InputError& e) {
    return e.problems().front().str();
  }
  return "accepted";
}

std::string with(std::string_view figure) {
  return R"({"schema": "stowage.probe/1", "version": "1", "date": "2026-01-01", "device": {"name": "G", "sms": 4,
"memory_bytes": 1}, "parts": {"vmm": {"status": "measured", "figures": [)" +
         std::string(figure) + "]}}}";
}

TEST(Probe, ReadsAFigureAndIgnoresWhatItDoesNotKnow) {
  const auto probe = parse_probe(with(R"({"name": "map", "keys": {"handles": 4, "what": "x", "hot": true}, "unit": "us",
    "n": 3, "median": 2.5, "p5": 2, "p95": 3, "later": [1], "extra": {"gbps": 7}})"), "p.json");
  const auto found = probe.find("vmm", "map");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0]->integer("handles"), 4);
  EXPECT_EQ(found[0]->text("what"), "x");
  EXPECT_TRUE(found[0]->flag("hot"));
  EXPECT_EQ(found[0]->integer("absent", -1), -1);
  EXPECT_EQ(found[0]->median, 2.5);
  EXPECT_EQ(found[0]->extra.at("gbps"), 7);
}

TEST(Probe, RefusesTornFilesWithThePlace) {
  const std::string figure = R"({"name": "map", "keys": {}, "unit": "us", "n": 1, "median": 2, "p5": 2, "p95": 2})";
  const std::string whole = with(figure);
  EXPECT_EQ(refused(whole.substr(0, whole.size() - 3)).substr(0, 9), "p.json:2:");
  EXPECT_NE(refused(whole.substr(0, whole.size() - 3)).find("ends in the middle"), std::string::npos)
      << refused(whole.substr(0, whole.size() - 3));
  EXPECT_NE(refused("schema: 1").find("p.json:1:1: error: not JSON"), std::string::npos);
}

TEST(Probe, RefusesOtherSchemas) {
  EXPECT_NE(refused("{}").find("not a probe file"), std::string::npos);
  EXPECT_NE(refused(R"({"schema": "stowage.probe/2"})").find("reads stowage.probe/1"), std::string::npos);
  EXPECT_NE(refused(R"({"schema": "other/1"})").find("not a probe file"), std::string::npos);
}

TEST(Probe, RefusesWhatCannotHaveBeenMeasured) {
  const auto figure = [](std::string_view n, std::string_view p5, std::string_view median) {
    return with(R"({"name": "map", "keys": {}, "unit": "us", "n": )" + std::string(n) + R"(, "median": )" +
                std::string(median) + R"(, "p5": )" + std::string(p5) + R"(, "p95": 9})");
  };
  EXPECT_EQ(refused(figure("1", "2", "3")), "accepted");
  const std::string at = "/parts/vmm/figures/0";
  for (const auto& [text, place] : {std::pair{figure("1", "-2", "3"), at + "/p5"}, {figure("1", "4", "3"), at},
                                    {figure("0", "2", "3"), at + "/n"}, {figure("1", "2", "\"3\""), at + "/median"}})
    EXPECT_NE(refused(text).find(place), std::string::npos) << refused(text);
  const std::string one = R"({"name": "a", "keys": {}, "unit": "us", "n": 1, "median": 2, "p5": 2, "p95": 2})";
  EXPECT_NE(refused(with(one + "," + one)).find("there twice"), std::string::npos);
}

TEST(Calibrate, TheWholeProbePredictsWholeIterations) {
  const std::vector<ProbeFile> probes = {load_probe(measurements + "h100-80gb-d-all.json")};
  const Calibration c = calibrate(probes, {});
  const PartError* e = c.profile.error_of("iteration");
  ASSERT_NE(e, nullptr);
  EXPECT_GT(e->points, 200);
  EXPECT_LT(e->mape, 0.02);           // the contract: 2 %
  EXPECT_LT(std::abs(e->bias), 0.01);  // and no more than 1 % to one side
  // What is written reads back to the same prices, to the digits written.
  const Profile back = parse_profile(profile_yaml(c.profile), "p.yaml");
  EXPECT_LT(profile_yaml(c.profile).size(), 200U * 1024);
  const ModelSpec model = load_model("llama-3-8b");
  const HardwareSpec gpu = load_hardware("h100-sxm-80gb");
  const StepCost a = compile_profile(model, gpu, c.profile, {}), b = compile_profile(model, gpu, back, {});
  for (const std::int64_t batch : {1, 17, 64, 256})
    EXPECT_NEAR(a.decode_line(batch).ns(1000 * batch) / b.decode_line(batch).ns(1000 * batch), 1, 1e-3);
}

TEST(Calibrate, RefusesProbesThatDoNotBelongTogether) {
  ProbeFile a = load_probe(measurements + "h100-80gb-d-all.json");
  ProbeFile other = a;
  other.gpu = "NVIDIA H200";
  EXPECT_THROW((void)calibrate(std::vector<ProbeFile>{a, other}, {}), InputError);
  EXPECT_THROW((void)calibrate(std::vector<ProbeFile>{a}, {"a100-80gb", "", 1}), InputError);
  ProbeFile quick = a;
  quick.quick = true;
  EXPECT_THROW((void)calibrate(std::vector<ProbeFile>{quick}, {}), InputError);
  ProbeFile part = a;
  part.parts.erase("gemm");
  EXPECT_THROW((void)calibrate(std::vector<ProbeFile>{part}, {}), InputError);
}

TEST(EngineLog, FindsThePricesOfAMadeUpEngine) {
  // Requests of 101 tokens, one after the other with no overlap: 100 steps of 1 request each. Every step takes
  // 5 ms + 1 us a stored token on average, so a request with p prompt tokens decodes 100 x (5 ms + (p + 50.5) us).
  std::string log;
  double now = 0;
  for (int i = 0; i < 60; ++i) {
    const double prompt = 100 + 400 * (i % 7), took = 100 * (5e-3 + (prompt + 50.5) * 1e-6);
    log += "{\"input_toks\": " + std::to_string(prompt) + ", \"output_toks\": 101, \"scheduled_ts\": " +
           std::to_string(now) + ", \"first_token_ts\": " + std::to_string(now + 0.01) +
           ", \"last_token_ts\": " + std::to_string(now + 0.01 + took) + "}\n";
    now += 0.02 + took;
  }
  const EngineLogFit fit = fit_engine_log(log, "log.jsonl");
  EXPECT_LT(fit.held_back.mape, 0.01);
  EXPECT_NEAR(fit.linear.per_kv_token_ns, 1000, 60);
}

TEST(EngineLog, SaysWhichLineIsWrong) {
  try {
    (void)fit_engine_log("{}\n[1]\n", "log.jsonl");
    FAIL();
  } catch (const InputError& e) {
    EXPECT_EQ(e.problems().front().str(), "log.jsonl:1: error: no 'input_toks'");
    EXPECT_EQ(e.problems().back().str().substr(0, 11), "log.jsonl:2") << e.problems().back().str();
    EXPECT_NE(e.problems().back().str().find("object"), std::string::npos) << e.problems().back().str();
  }
}
}  // namespace
}  // namespace stowage
