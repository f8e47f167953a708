// The profiles that ship: whole, of hardware in the zoo, and never faster than the data sheet allows.
#include <gtest/gtest.h>

#include <algorithm>

#include "models/cost/profile.hpp"

namespace stowage {
namespace {
TEST(ShippedProfiles, AreOfTheZooAndSayWhoMeasured) {
  const auto names = shipped_profile_names();
  EXPECT_EQ(names, (std::vector<std::string>{"a100-80gb", "a40", "h100-sxm-80gb", "h200"}));
  for (const auto& name : names) {
    const Profile p = shipped_profile(name).value();
    EXPECT_EQ(p.name, name);
    EXPECT_EQ(load_hardware(name).sms, p.sms) << name;
    EXPECT_FALSE(p.errors.empty()) << name;
    EXPECT_GT(p.draw_count(), 0U) << name;
    const bool ours = name.starts_with('h');
    EXPECT_EQ(p.evidence, ours ? ProfileEvidence::measured : ProfileEvidence::published) << name;
    EXPECT_EQ(p.gaps.empty(), ours) << name;
  }
}

TEST(ShippedProfiles, NoStepBeatsTheDataSheet) {
  const ModelSpec model = load_model("llama-2-7b");
  for (const auto& name : shipped_profile_names()) {
    const HardwareSpec gpu = load_hardware(name);
    const StepCost cost = compile_profile(model, gpu, shipped_profile(name).value(), {1, 8192, 256, {16, false}});
    const auto layer = static_cast<double>(4 * model.hidden * model.hidden + 3 * model.hidden * model.intermediate);
    const double parameters = static_cast<double>(model.layers) * layer;
    for (const std::int64_t batch : {1, 8, 64, 256})
      for (const std::int64_t tokens : {128, 2048, 16'384}) {
        // Two bytes a parameter, and keys and values of every token: hidden wide, two bytes, in every layer.
        const auto kv = static_cast<double>(model.layers * 2 * model.hidden * 2 * batch * tokens);
        const double bytes_ns = (2 * parameters + kv) / gpu.memory_bytes_per_s * 1e9;
        EXPECT_GT(cost.ns({0, batch, batch * tokens, 0}), bytes_ns) << name << ", " << batch << " x " << tokens;
      }
    for (const std::int64_t prompt : {512, 2048, 8192}) {
      StepShape shape{prompt, 0, 0, 0};
      cost.add_chunk(shape, prompt, 0);
      const double flop_ns = 2 * parameters * static_cast<double>(prompt) / gpu.bf16_flop_per_s * 1e9;
      EXPECT_GT(cost.ns(shape), flop_ns) << name << ", " << prompt;
    }
  }
}

TEST(ShippedProfiles, LongerContextsThanMeasuredCostMore) {
  for (const auto& name : shipped_profile_names()) {
    const Profile p = shipped_profile(name).value();
    const double last = p.decode.kv_tokens.back();
    for (const double batch : {1.0, 16.0, 128.0}) {
      const double at = p.decode_attention_ns(p.decode.kv_heads, p.decode.head_dim, batch, last, {16, false});
      const double beyond = p.decode_attention_ns(p.decode.kv_heads, p.decode.head_dim, batch, 4 * last, {16, false});
      EXPECT_GT(beyond, 2 * at) << name << ", " << batch;
    }
    for (const auto& table : p.gemm) {
      const double rows = table.rows.x.back();
      if (rows < 1024) continue;  // still waiting for weights
      EXPECT_GT(table.rows.at(4 * rows), 3 * table.rows.at(rows)) << name << ", " << table.n << " x " << table.k;
    }
  }
}
}  // namespace
}  // namespace stowage
