#pragma once
// Prices from a profile where its tables know the operator, from the spec sheet where they do not. A profile knows
// dense 16-bit products, kernels that only move bytes, all-reduce and attention without windows or latents; it does
// not know products over experts, 8-bit and 4-bit weights, windows, latent attention, all-to-all and pipeline sends.
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "models/cost/operator_graph.hpp"
#include "models/cost/profile.hpp"
#include "models/cost/roofline.hpp"

namespace stowage {

class ProfilePrices final : public OperatorPrices {
 public:
  ProfilePrices(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile, const Layout& layout,
                bool host, const RooflineEfficiency& efficiency = {});
  [[nodiscard]] OperatorCost gemm(const GemmWork& work) const override;
  [[nodiscard]] OperatorCost elementwise(double bytes, Mover mover) const override;
  [[nodiscard]] OperatorCost collective(Collective kind, double bytes, Group group) const override;
  [[nodiscard]] OperatorCost send(double bytes) const override { return sheet_.send(bytes); }
  /// Attention that was measured is priced whole, outside the graph: compile_partly().
  [[nodiscard]] OperatorCost attention_kernel() const override;
  [[nodiscard]] DecodeAttention decode_attention(const AttentionWork& work) const override;
  [[nodiscard]] PrefillAttention prefill_attention(const AttentionWork& work) const override;
  [[nodiscard]] OperatorCost host() const override { return {step(1, true).host_ns, Bound::fixed}; }
  [[nodiscard]] StepTerms step(double rows, bool graph) const override;
  [[nodiscard]] double padded(double rows) const override;
  [[nodiscard]] std::int64_t mixed_head_rows() const override { return profile_mixed_head_rows; }
  [[nodiscard]] std::string link_source() const override { return sheet_.link_source(); }
  [[nodiscard]] bool knows_attention() const { return knows_attention_; }

 private:
  const Profile& profile_;
  RooflinePrices sheet_;
  std::int64_t tensor_;
  bool knows_attention_, host_;
  double rotate_share_ =
      1;  // of the bytes that the graph counts for rotation and append: what the measured kernel moves
  /// Products by rows, n and k: steps of many sizes run at few numbers of rows. One thread uses one of these objects.
  mutable std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, double> products_;
};

/// What of this model and layout compile_profile() cannot price ("experts"), or "" when it can price all.
[[nodiscard]] std::string beyond_profile(const ModelSpec& model, const Layout& layout);

/// compile_profile() where it can price all; else the operator graph at ProfilePrices, with the attention that
/// compile_profile() has where the profile knows it. A step of more tokens takes less than one of fewer only where what
/// was measured says so, as in compile_profile(). Full-clock time is credited where all products and attention were
/// measured: what a sheet's price holds of the clock nobody knows. `max_context` and `efficiency` (of the sheet's part)
/// as in compile_roofline().
[[nodiscard]] StepCost compile_partly(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile,
                                      const Layout& layout, const ProfileTarget& target, std::int64_t max_context,
                                      const RooflineEfficiency& efficiency = {});

/// One sentence that says which share of a decode and of a prompt step, of sizes within `target`, measurements price,
/// and what the spec sheet. `cost`: what compile_partly() gave.
[[nodiscard]] std::string partly_measured(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile,
                                          const Layout& layout, const ProfileTarget& target, std::int64_t max_context,
                                          const StepCost& cost);
}  // namespace stowage
