// stowage model show NAME --graph: the operators of one step and what they cost.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/settings.hpp"
#include "cli/table.hpp"
#include "models/cost/roofline.hpp"
#include "reports/text.hpp"

namespace stowage::cli {
namespace {
using Json = nlohmann::ordered_json;

std::string stream_of(const OperatorPrice& line) { return std::string(stream_name(line.stream)); }

Json as_json(const ModelSpec& model, const HardwareSpec& hardware, double total_ns,
             const std::vector<OperatorPrice>& bill) {
  Json out = {{"model", model.name}, {"hardware", hardware.name}, {"calibrated", false}, {"step_s", total_ns / 1e9}};
  out["operators"] = Json::array();
  for (const auto& line : bill)
    out["operators"].push_back({{"name", line.name},
                                {"stream", stream_of(line)},
                                {"count", line.count},
                                {"flops", line.flops},
                                {"bytes", line.bytes},
                                {"s", line.ns / 1e9},
                                {"hidden_s", line.hidden_ns / 1e9},
                                {"bound", bound_name(line.bound)},
                                {"resource", resource_name(line.resource)}});
  out["shares"] = Json::object();
  for (const auto& share : resource_shares(bill))
    out["shares"][std::string(resource_name(share.resource))] = share.share;
  return out;
}

std::string as_text(const std::string& title, const std::string& links, double total_ns,
                    const std::vector<OperatorPrice>& bill) {
  std::vector<std::vector<std::string>> rows = {
      {"operator", "stream", "times", "GFLOP", "MB", "time", "beside", "share", "bound"}};
  for (const auto& line : bill)
    rows.push_back({line.name, stream_of(line), fmt::format("{}", line.count), fmt::format("{:.1f}", line.flops / 1e9),
                    fmt::format("{:.1f}", line.bytes / 1e6), text::duration(line.ns),
                    line.hidden_ns > 0 ? text::duration(line.hidden_ns) : "",
                    fmt::format("{:.1f} %", 100 * line.ns / total_ns), std::string(bound_name(line.bound))});
  std::string out = title + "\n" + table(rows);
  out += fmt::format("step {}; ", text::duration(total_ns));
  std::string shares;
  for (const auto& share : resource_shares(bill))
    if (share.share >= 0.005)
      shares +=
          fmt::format("{}{} {:.0f} %", shares.empty() ? "" : ", ", resource_name(share.resource), 100 * share.share);
  out += "most of it: " + shares + "\n";
  return out + fmt::format("prices: spec sheet (roofline, uncalibrated); links: {}\n", links);
}
}  // namespace

Outcome model_graph(const Options& options) {
  const Settings set(options);
  const std::string form = set.text("graph");
  if (form != "text" && form != "dot")
    throw InputError({}, fmt::format("--graph: no '{}'; write --graph or --graph dot", form));
  const ModelSpec model = load_model(options.inputs.front());
  if (const auto why = model.unsimulated(); !why.empty())
    throw InputError({}, fmt::format("{} has no graph of a step: {}", model.name, why));
  const HardwareSpec hardware = load_hardware(set.has("hardware") ? set.text("hardware") : "h100-sxm-80gb");
  const Layout layout = set.layout(model, hardware);
  const std::int64_t prefill = set.has("prefill") ? set.whole("prefill", 0, 1 << 20) : 0;
  const std::int64_t decode = set.has("decode") || prefill == 0 ? set.whole("decode", 64, 1 << 16) : 0;
  const std::int64_t context = set.whole("context", 1024, 10'000'000);

  const OperatorGraph graph(model, layout);
  const RooflinePrices prices(hardware, layout);
  const StepCost cost = compile_step(graph, prices, prefill + decode);
  StepShape shape{prefill, decode, decode * context, 0};
  if (prefill > 0) shape.prefill_attention_ns = cost.chunk_ns(prefill, 0);
  const std::string title =
      fmt::format("{} on {}, tensor {}, pipeline {}: {} requests decode on {} tokens each, {} prompt tokens",
                  model.name, hardware.name, layout.tensor, layout.pipeline, decode, context, prefill);
  const auto rows = static_cast<double>(prefill + decode);
  if (form == "dot")
    return {graphviz(graph, prices, {rows, static_cast<double>(decode + (prefill > 0 ? 1 : 0))}, title)};
  const auto bill = bill_of_step(graph, prices, shape);
  const double total_ns = cost.ns(shape);
  if (options.json) return {as_json(model, hardware, total_ns, bill).dump(2) + "\n"};
  return {as_text(title, prices.link_source(), total_ns, bill)};
}
}  // namespace stowage::cli
