// What tensor parallelism divides, it divides wholly: the attention of all GPUs of a replica together is that of one.
#include <gtest/gtest.h>

#include "models/cost/compile.hpp"
#include "models/cost/profile.hpp"
#include "models/cost/roofline.hpp"

namespace stowage {
namespace {
constexpr int degrees[] = {1, 2, 4, 8, 16, 32};

TEST(Sharding, GpusShareTheArithmeticOfAttention) {
  for (const char* name : {"llama-3-8b", "llama-3-70b", "opt-66b", "deepseek-v3", "gemma-3-27b"}) {
    const ModelSpec m = load_model(name);
    const AttentionWork whole = OperatorGraph(m, {1, 1, 1, 1}).attention();
    for (const int t : degrees) {
      if (parallel_problem(m, t, 1)) continue;
      const AttentionWork share = OperatorGraph(m, {t, 1, 1, 1}).attention();
      EXPECT_DOUBLE_EQ(share.decode_flops_per_kv_token * t, whole.decode_flops_per_kv_token) << name << " " << t;
      EXPECT_DOUBLE_EQ(share.prefill_flops_per_pair * t, whole.prefill_flops_per_pair) << name << " " << t;
      // Of the cache each GPU reads what it keeps: a KV head at least, of a latent cache all.
      EXPECT_DOUBLE_EQ(share.kv_bytes_per_token, static_cast<double>(m.kv_bytes_per_token_per_gpu(t).count()));
      if (!m.latent() && m.kv_heads % t == 0) {
        EXPECT_DOUBLE_EQ(share.kv_bytes_per_token * t, whole.kv_bytes_per_token) << name << " " << t;
      }
    }
  }
}

/// Without what differs between batches for other reasons than their size.
StepCost priced(const ModelSpec& m, int tensor) {
  static const Profile profile = shipped_profile("h100-sxm-80gb").value();
  ProfileTarget target{tensor, 2048, 64, {16, false}};
  target.ragged = false;
  return compile_profile(m, load_hardware("h100-sxm-80gb"), profile, target);
}

TEST(Sharding, GpusShareTheMeasuredWorkOfAPrompt) {
  const ModelSpec m = load_model("llama-3-70b");  // 64 heads, 8 KV heads: tiles stay what they are to 8 GPUs
  const StepCost one = priced(m, 1);
  for (const int t : {2, 4, 8}) {
    const StepCost share = priced(m, t);
    ASSERT_EQ(share.table().tiles.tile_tokens, one.table().tiles.tile_tokens);
    for (const std::int64_t q : {64, 512, 2048})
      for (const std::int64_t stored : {0, 1024, 65'536})
        EXPECT_NEAR(share.chunk(q, stored).work_ns * t / one.chunk(q, stored).work_ns, 1, 1e-9)
            << t << " GPUs, " << q << " tokens after " << stored;
  }
}

TEST(Sharding, AHeadIsToTheKernelWhatARequestIs) {
  // B requests with S tokens on t GPUs: each GPU sees B x (heads / t) streams, as one GPU with B / t requests of S / t.
  const ModelSpec m = load_model("llama-3-70b");
  const auto at_knot = [](const StepCost& cost, std::size_t b, std::size_t knot) {
    const DecodeSegment& line = cost.table().decode_rows[b * decode_segments + knot];
    return line.c + line.s * static_cast<double>(decode_knot(knot));
  };
  const StepCost one = priced(m, 1);
  for (const auto& [t, log2] : {std::pair<std::size_t, std::size_t>{2, 1}, {4, 2}, {8, 3}}) {
    const StepCost share = priced(m, static_cast<int>(t));
    for (const std::size_t b : {8U, 16U, 64U})
      for (const std::size_t knot : {12U, 17U, 24U})  // 4,096, 24,576 and 262,144 tokens
        EXPECT_NEAR(at_knot(share, b, knot) / at_knot(one, b / t, knot - 2 * log2), 1, 1e-9)
            << t << " GPUs, " << b << " requests, " << decode_knot(knot) << " tokens";
  }
}
}  // namespace
}  // namespace stowage
