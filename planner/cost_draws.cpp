#include "planner/cost_draws.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/portable_math.hpp"
#include "base/rng.hpp"
#include "models/cost/roofline.hpp"

namespace stowage {
namespace {
constexpr double sigma = 0.128;  // 1.96 sigma = 0.25

RooflineEfficiency drawn(const std::string& hardware, std::uint64_t seed, std::uint64_t i) {
  Rng rng(seed, fmt::format("efficiencies {} {}", hardware, i));
  RooflineEfficiency e;
  for (double* share :
       {&e.gemm_flops, &e.gemm_bytes, &e.prefill_flops, &e.attention_bytes, &e.elementwise_bytes, &e.link_bytes})
    *share = std::min(1.0, *share * portable_exp(sigma * rng.normal()));
  for (double* ns : {&e.kernel_ns, &e.attention_ns, &e.attention_seq_ns, &e.all_reduce_ns_per_gpu, &e.step_ns})
    *ns *= portable_exp(sigma * rng.normal());
  return e;
}
}  // namespace

StepCost draw_cost(const Candidate& c, std::uint64_t seed, std::uint64_t i) {
  if (c.grounds != Grounds::roofline) return c.config().cost;
  const Scenario& s = *c.scenario;
  return compile_roofline(s.model, s.hardware, static_cast<int>(s.cluster.tensor), s.scheduler.max_batched_tokens,
                          drawn(s.hardware.name, seed, i));
}

std::string draws_text(Grounds grounds) {
  switch (grounds) {
    case Grounds::roofline:
      return "spec-sheet efficiencies and fixed costs, each within 25 % (a stated prior: nothing was measured)";
    case Grounds::linear:
      return "your coefficients as given, without an error of their own";
    case Grounds::measured:
    case Grounds::scaled:
      break;
  }
  return "the profile as it is, without an error of its own";
}
}  // namespace stowage
