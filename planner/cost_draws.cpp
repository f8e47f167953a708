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
  for (double* share : {&e.gemm_flops, &e.gemm_bytes, &e.prefill_flops, &e.attention_bytes, &e.elementwise_bytes,
                        &e.links.small_share, &e.links.bulk_share})
    *share = std::min(1.0, *share * portable_exp(sigma * rng.normal()));
  for (double* ns : {&e.kernel_ns, &e.attention_ns, &e.attention_seq_ns, &e.step_ns})
    *ns *= portable_exp(sigma * rng.normal());
  return e;
}

std::string_view text_of(Grounds grounds) {
  switch (grounds) {
    case Grounds::roofline:
      return "spec-sheet efficiencies and fixed costs, each within 25 % (a stated prior: nothing was measured)";
    case Grounds::linear:
      return "your coefficients as given, without an error of their own";
    case Grounds::published:
      return "the profile's own draws: 10 % a part (a stated prior: one machine was published, and no whole step)";
    case Grounds::scaled:
      return "the profile's own draws: its noise, what it could not predict, and machines of one kind that differ; the "
             "spec sheet's part, if any, within 25 %";
    case Grounds::measured:
      break;
  }
  return "the profile's own draws: its noise, what it could not predict, and machines of one kind that differ";
}
}  // namespace

StepCost draw_cost(const Candidate& c, std::uint64_t seed, std::uint64_t i) {
  const Scenario& s = *c.scenario;
  if (s.cost_used == CostSource::profile && s.profile->draw_count() > 0)
    return draw_steps(s, c.config().manager, static_cast<std::size_t>(i) % s.profile->draw_count(),
                      drawn(s.hardware.name, seed, i));
  if (c.grounds != Grounds::roofline) return c.config().cost;
  RooflineEfficiency efficiency = drawn(s.hardware.name, seed, i);
  if (s.host) efficiency.step_ns = 0;  // given: with_host adds it
  return with_host(compile_roofline(s.model, s.hardware, s.cluster.layout(), s.scheduler.max_batched_tokens,
                                    s.scheduler.max_model_len, efficiency),
                   s.host.value_or(HostCost{}), s.model.layers);
}

std::string draws_text(const Candidate& c) {
  std::string out(text_of(c.grounds));
  const Scenario& s = *c.scenario;
  if (s.cost_used != CostSource::profile || s.profile->rested.rows.empty() || s.profile->draw_count() == 0) return out;
  if (s.profile->rested.drawn_recharge.empty())
    out += "; what a rested chip gains as it was fitted, for this profile does not say how far that may be off";
  return out;
}
}  // namespace stowage
