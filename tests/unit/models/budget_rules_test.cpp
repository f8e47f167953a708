// Rules of memory and of reading it that no single model shows.
#include <gtest/gtest.h>

#include "models/cost/profile.hpp"
#include "models/memory_budget.hpp"

namespace stowage {
namespace {
TEST(MemoryBudget, GpusOfAPipelineTalkToEachOtherToo) {
  const auto m = load_model("llama-3-8b");
  const auto h = load_hardware("h100-sxm-80gb");
  for (const auto& [tensor, pipeline] : {std::pair{1, 1}, {1, 2}, {2, 1}, {2, 2}, {1, 4}}) {
    MemoryOptions o;
    o.tensor = tensor;
    o.pipeline = pipeline;
    EXPECT_EQ(memory_budget(m, h, o).overhead, runtime_overhead(tensor * pipeline)) << tensor << " x " << pipeline;
  }
  EXPECT_LT(runtime_overhead(1), runtime_overhead(2));
}

TEST(ActivationPeak, SharedExpertsActBesideThoseChosen) {
  // Of 4 + 2 experts of 1,000 a token's intermediates are 3 x 6,000 (gated), in 16 bits; 64 tokens, hidden 256, a small
  // vocabulary: 64 x (2 x 256 + 18,000) x 2 = 2,369,536.
  const std::string model =
      "name: x\nlayers: 4\nhidden: 256\nheads: 4\nkv_heads: 4\nhead_dim: 64\nintermediate: 512\nvocab: 100\n"
      "max_positions: 1024\nexperts: 16\nexperts_per_token: 4\nexpert_intermediate: 1000\n";
  EXPECT_EQ(activation_peak(parse_model(model + "shared_experts: 2\n", "x"), 1, 64, 8).count(), 2'369'536);
  EXPECT_EQ(activation_peak(parse_model(model, "x"), 1, 64, 8).count(), 64 * (512 + 12'000) * 2);
}

TEST(DecodeAttention, AnEightBitCacheIsHalfOfTheBytes) {
  const Profile p = shipped_profile("h100-sxm-80gb").value();
  ModelSpec m = load_model("llama-3-8b");
  for (const Dtype dtype : {Dtype::bfloat16, Dtype::float8}) {
    m.kv_dtype = dtype;
    ProfileTarget target{1, 2048, 64, {16, false}};
    target.ragged = false;
    const auto table = compile_profile(m, load_hardware("h100-sxm-80gb"), p, target).table();
    const double share = dtype == Dtype::float8 ? 0.5 : 1;
    for (const std::size_t b : {1U, 16U, 64U})
      for (const std::size_t knot : {18U, 21U, 24U}) {  // from 32,768 tokens on: shorter ones are held
        const auto kv = static_cast<double>(decode_knot(knot));
        const DecodeSegment& line = table.decode_rows[b * decode_segments + knot];
        // The kernel reads the new token of each request too.
        const double alone = p.decode_attention_ns(8, 128, static_cast<double>(b),
                                                   (kv + static_cast<double>(b)) * share, target.layout);
        EXPECT_NEAR((line.c + line.s * kv) / (32 * alone), 1, 1e-9) << b << " requests, " << kv << " tokens";
      }
  }
}

/// Twice the link, half of what crosses it: 2 (t - 1) / t of the bytes, twice a layer, at 70 % of the sheet's rate.
TEST(AllReduce, UnmeasuredItIsARingOverTheSheetsLink) {
  Profile p = shipped_profile("h100-sxm-80gb").value();
  p.all_reduce.clear();
  p.chain_graph = p.chain_eager = {{1}, {1}};
  const ModelSpec m = load_model("llama-3-8b");
  const HardwareSpec slow = load_hardware("h100-sxm-80gb");
  HardwareSpec fast = slow;
  fast.nvlink_bytes_per_s *= 2;
  for (const int t : {2, 4, 8}) {
    const auto ns = [&](const HardwareSpec& h) { return dense_step_ns(m, h, p, t, 1024, 1024, true); };
    const double bytes = 1024.0 * 4096 * 2, crossing = 2.0 * (t - 1) / t * bytes;
    const double expected = 32 * 2 * crossing / (0.7 * slow.link_bytes_per_s()) * 1e9 / 2;
    EXPECT_NEAR((ns(slow) - ns(fast)) / expected, 1, 1e-9) << t;
  }
}
}  // namespace
}  // namespace stowage
