// Synthetic stand-ins for public traces, so that the project runs without the files. The numbers are facts about
// those traces; rows are drawn independently, so what a trace has of drift over the hour or of correlation between
// prompt and output is not in them.
#include <algorithm>
#include <array>

#include "traces/workload.hpp"

namespace stowage {
namespace {
/// Azure LLM inference trace 2023, conversation (github.com/Azure/AzurePublicDataset, CC BY 4.0; Patel et al.,
/// "Splitwise: Efficient Generative LLM Inference Using Phase Splitting", ISCA 2024): 19,366 requests at 5.53/s, gaps
/// with a coefficient of variation of 1.094; prompt mean 1,155, p50 1,020, p90 2,734, p99 4,142, longest 14,050; output
/// 211, 129, 424, 601, 1,000. The quantiles give means of 1,148.5 and 210.8.
SyntheticSpec azure_conv_2023() {
  SyntheticSpec spec;
  spec.arrivals = ArrivalKind::gamma;
  spec.rate_per_s = 5.5304;
  spec.cv = 1.094;
  spec.count = 19'366;
  spec.prompt.kind = LengthKind::quantiles;
  spec.prompt.quantiles = {{0, 2},       {0.05, 181},  {0.10, 207},   {0.15, 372},  {0.20, 387},   {0.25, 396},
                           {0.30, 403},  {0.35, 414},  {0.40, 703},   {0.45, 984},  {0.50, 1020},  {0.55, 1045},
                           {0.60, 1071}, {0.65, 1097}, {0.70, 1130},  {0.75, 1189}, {0.80, 1315},  {0.85, 1876},
                           {0.90, 2734}, {0.95, 4083}, {0.975, 4092}, {0.99, 4142}, {0.999, 6122}, {1, 14'050}};
  spec.output.kind = LengthKind::quantiles;
  spec.output.quantiles = {{0, 7},      {0.05, 41},  {0.10, 54},   {0.15, 67},  {0.20, 77},   {0.25, 85},
                           {0.30, 91},  {0.35, 96},  {0.40, 103},  {0.45, 113}, {0.50, 129},  {0.55, 151},
                           {0.60, 177}, {0.65, 217}, {0.70, 384},  {0.75, 395}, {0.80, 400},  {0.85, 411},
                           {0.90, 424}, {0.95, 451}, {0.975, 522}, {0.99, 601}, {0.999, 954}, {1, 1000}};
  return spec;
}

constexpr std::array<SyntheticPreset, 1> presets = {{
    {"azure-conv-2023", "drawn from quantiles of Azure's 2023 conversation trace: 19,366 requests at 5.53/s",
     azure_conv_2023},
}};
}  // namespace

std::span<const SyntheticPreset> synthetic_presets() { return presets; }

const SyntheticPreset* find_synthetic_preset(std::string_view name) {
  const auto* const found =
      std::find_if(presets.begin(), presets.end(), [name](const SyntheticPreset& p) { return p.name == name; });
  return found == presets.end() ? nullptr : found;
}
}  // namespace stowage
