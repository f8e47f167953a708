// Decode steps of a serving engine at several tensor degrees, as others published them, against the same requests
// simulated with the profile that ships. Nothing was fitted to these runs.
//
// Source: github.com/LambdaLabsML/vllm-benchmark, results/prompt_10/{1,2,4,8}xH100-80GB-SXM/
// Meta-Llama-3-{8B,70B}-Instruct_tp{1,2,4,8}_len8192.json of 8 September 2024: vLLM 0.6.0, bfloat16, ten ShareGPT
// requests at once (input_lens and output_lens of each file; an output of 0 ended at its first token). The engine ran
// ten steps a scheduling (741 tokens came in 74 pieces), so a step is a tenth of the file's median_itl_ms.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "scenario/scenario.hpp"
#include "sim/result.hpp"
#include "sim/serve/simulate.hpp"

namespace stowage {
namespace {
struct Published {
  const char* model;
  int tensor;
  double ten_steps_ms;  // median_itl_ms
  std::vector<int> outputs;
  double within;        // the error that this release has, rounded up
};

const std::vector<int> prompts = {13, 25, 27, 10, 329, 29, 399, 328, 4, 205};
const std::vector<Published> runs = {
    {"llama-3-8b", 1, 72.353151, {120, 414, 233, 194, 101, 741, 9, 3, 6, 31}, 0.15},
    {"llama-3-8b", 2, 52.461774, {120, 495, 233, 194, 101, 741, 9, 3, 6, 31}, 0.21},
    {"llama-3-8b", 4, 39.949922, {120, 427, 233, 194, 101, 741, 9, 3, 6, 31}, 0.23},
    {"llama-3-8b", 8, 34.663368, {120, 445, 233, 194, 101, 741, 9, 3, 6, 31}, 0.13},
    {"llama-3-70b", 2, 291.946577, {120, 656, 233, 194, 101, 741, 1, 1, 6, 35}, 0.05},
    {"llama-3-70b", 4, 182.432129, {120, 661, 233, 194, 101, 741, 1, 1, 6, 35}, 0.09},
    {"llama-3-70b", 8, 123.664135, {120, 570, 233, 194, 101, 741, 1, 1, 6, 35}, 0.06},
};

double simulated_ms(const Published& p) {
  std::string requests;
  for (std::size_t i = 0; i < prompts.size(); ++i)
    requests += fmt::format("{}{{prompt: {}, output: {}}}", i == 0 ? "" : ", ", prompts[i], p.outputs[i]);
  const Scenario s = parse_scenario(fmt::format("model: {}\nhardware: h100-sxm-80gb\ncluster: {{tensor: {}}}\n"
                                                "workload: {{requests: [{}]}}\nmanagers: [{{kind: paged}}]\n",
                                                p.model, p.tensor, requests),
                                    "published.yaml");
  EXPECT_EQ(s.cost_used, CostSource::profile);
  return simulate(s.runs.front(), RunHooks{}).tbt_ns.quantile(0.5) / 1e6;
}

TEST(PublishedVllm, StepsAndTheirScalingOverTensorDegrees) {
  std::map<std::string, std::pair<double, double>> first;  // of each model: published, simulated at its least degree
  for (const Published& p : runs) {
    const double published = p.ten_steps_ms / 10, simulated = simulated_ms(p);
    const double error = simulated / published - 1;
    const auto& [base, own] = first.try_emplace(p.model, published, simulated).first->second;
    const double speedup = base / published, predicted = own / simulated;
    std::cout << fmt::format("{:12} tensor {}: published {:6.2f} ms, simulated {:6.2f} ms, {:+5.1f} %; "
                             "faster {:.2f} times, predicted {:.2f}, {:+5.1f} %\n",
                             p.model, p.tensor, published, simulated, 100 * error, speedup, predicted,
                             100 * (predicted / speedup - 1));
    EXPECT_LT(std::abs(error), p.within) << p.model << " " << p.tensor;
    EXPECT_LT(std::abs(predicted / speedup - 1), 0.12) << p.model << " " << p.tensor;
  }
}
}  // namespace
}  // namespace stowage
