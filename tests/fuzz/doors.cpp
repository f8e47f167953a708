#include "tests/fuzz/doors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <exception>
#include <filesystem>
#include <utility>

#include "models/hardware/hardware.hpp"
#include "models/llm/model.hpp"
#include "planner/axis_check.hpp"
#include "planner/candidates.hpp"
#include "scenario/scenario.hpp"

namespace stowage::fuzz {
namespace {
using Shown = std::map<std::string, std::string>;

template <class Read>
Verdict verdict(Read read) {
  Verdict out;
  try {
    read(out.shown);
  } catch (const InputError& error) {
    out.what = Verdict::What::refused;
    for (const auto& p : error.problems()) out.lines.push_back(p.str());
  } catch (const InfeasibleError& error) {
    out.what = Verdict::What::infeasible;
    out.lines.emplace_back(error.what());
  } catch (const std::exception& error) {
    out.what = Verdict::What::crashed;
    out.lines.emplace_back(error.what());
  }
  return out;
}

void leaves_of(const ConfigNode& node, const std::string& lead, Shown& out) {
  const std::string path = lead + node.path();
  if (node.kind() == ConfigNode::Kind::scalar) out[path] = node.text();
  for (std::size_t i = 0; node.kind() == ConfigNode::Kind::list && i < node.size(); ++i) leaves_of(node[i], lead, out);
  for (const auto& [key, value] : node.entries()) leaves_of(value, lead, out);
}

Shown leaves_of(const Scenario& scenario) {
  Shown out;
  leaves_of(ConfigDocument::parse(resolved_yaml(scenario), "resolved.yaml").root(), "", out);
  return out;
}

/// Every value of every axis as its point's resolved.yaml has it, or where
/// nothing can be shown.
void show_axes(const Study& study, Shown& out, std::vector<std::string>& cannot_be) {
  const Space space(study.axes);
  ScenarioCache cache;
  cache.many_points = true;
  std::uint64_t stride = space.size();
  for (const Axis& axis : space.axes()) {
    stride /= axis.values.size();
    for (std::size_t v = 0; v < axis.values.size(); ++v) {
      try {
        const Shown point = leaves_of(resolve_scenario(space.document(study.base, v * stride), {}, cache));
        for (const auto& [path, text] : point)
          if (path.starts_with(axis.path))
            out[fmt::format("space.{}[{}]{}", axis.path, v, path.substr(axis.path.size()))] = text;
      } catch (const InputError&) {
        cannot_be.push_back(fmt::format("space.{}[{}]", axis.path, v));
      } catch (const InfeasibleError&) { cannot_be.push_back(fmt::format("space.{}[{}]", axis.path, v)); }
    }
  }
}

std::string share(double x) { return fmt::format("{}", x); }

void show_plan(const PlanSpec& p, Shown& out) {
  out["objective"] = objective_names[static_cast<std::size_t>(p.objective)];
  if (p.demand_per_s) out["demand"] = fmt::format("{}/s", *p.demand_per_s);
  if (p.window_ns) out["window"] = format_duration(*p.window_ns);
  out["growth"] = share(p.growth);
  out["knee"] = share(p.knee);
  out["spare"] = fmt::format("{}", p.spare);
  if (p.gpus_max) out["limits.gpus"] = fmt::format("{}", *p.gpus_max);
  if (p.usd_per_hour_max) out["limits.usd_per_hour"] = share(*p.usd_per_hour_max);
  out["probe.requests"] = fmt::format("{}", p.probe_requests);
  out["probe.precision"] = share(p.precision);
  out["search.exhaustive"] = fmt::format("{}", p.exhaustive);
  out["search.draws"] = fmt::format("{}", p.draws);
  for (const auto& [gpu, price] : p.prices) {
    out["prices." + gpu + ".usd_per_node_hour"] = share(price.usd_per_hour);
    out["prices." + gpu + ".gpus_per_node"] = fmt::format("{}", price.gpus);
    out["prices." + gpu + ".watts"] = share(price.watts);
  }
  for (const SloSet& set : p.slo) {
    for (const PlanTarget& t : set.targets) out["slo." + t.key] = format_duration(t.limit_ns);
    if (!set.goodput) continue;
    out["slo.goodput.share"] = share(set.goodput->share);
    if (set.goodput->ttft_ns) out["slo.goodput.ttft"] = format_duration(*set.goodput->ttft_ns);
    if (set.goodput->tpot_ns) out["slo.goodput.tpot"] = format_duration(*set.goodput->tpot_ns);
    if (set.goodput->e2e_ns) out["slo.goodput.e2e"] = format_duration(*set.goodput->e2e_ns);
  }
}

Study read_study(const std::string& file, const Words& sets, const Words& vary) {
  Study study = load_study(file, sets, vary, {});
  ScenarioCache cache;
  cache.many_points = true;
  check_axes(study.base, Space(study.axes), cache);
  return study;
}
}  // namespace

std::string Verdict::text() const {
  constexpr std::array names = {"accepted", "infeasible", "refused", "crashed"};
  return fmt::format("{}: {}", names[static_cast<std::size_t>(what)], fmt::join(lines, "\n  "));
}

Verdict by_run(const std::string& file, const Words& sets) {
  return verdict([&](Shown& out) { out = leaves_of(load_scenario(file, sets)); });
}
Verdict by_sweep(const std::string& file, const Words& sets, const Words& vary) {
  return verdict([&](Shown&) { (void)read_study(file, sets, vary); });
}
Verdict by_plan(const std::string& file) {
  return verdict([&](Shown&) { (void)set_up(load_study(file, {}, {}, {}), 1); });
}
Verdict by_study(const std::string& file, const Words& vary) {
  std::vector<std::string> cannot_be;
  Verdict v = verdict([&](Shown& out) {
    const Study study = read_study(file, {}, vary);
    show_plan(study.plan, out);
    show_axes(study, out, cannot_be);
    out["name"] = study.name;
    out["schema"] = "1";
    out["scenario"] = std::filesystem::relative(study.base.file(), std::filesystem::path(file).parent_path());
  });
  v.cannot_be = std::move(cannot_be);
  return v;
}

Verdict by_hardware(const std::string& file) {
  return verdict([&](Shown& out) {
    const HardwareSpec h = load_hardware(file);
    const auto bytes = [](Bytes b) { return fmt::format("{}B", b.count()); };
    const auto rate = [](double x, std::string_view unit) { return fmt::format("{}{}", x, unit); };
    out = {{"name", h.name},
           {"title", h.title},
           {"memory", bytes(h.memory)},
           {"driver_memory", bytes(h.driver_memory)},
           {"memory_bandwidth", rate(h.memory_bytes_per_s, "B/s")},
           {"bf16", rate(h.bf16_flop_per_s, "FLOP/s")},
           {"fp8", rate(h.fp8_flop_per_s, "FLOP/s")},
           {"l2", bytes(h.l2)},
           {"sms", fmt::format("{}", h.sms)},
           {"nvlink", rate(h.nvlink_bytes_per_s, "B/s")},
           {"pcie", rate(h.pcie_bytes_per_s, "B/s")},
           {"network", rate(h.network_bytes_per_s, "B/s")},
           {"node_gpus", fmt::format("{}", h.node_gpus)},
           {"vmm.create", format_duration(h.vmm.create_ns)},
           {"vmm.map", format_duration(h.vmm.map_ns)},
           {"vmm.set_access", format_duration(h.vmm.set_access_ns)},
           {"vmm.unmap", format_duration(h.vmm.unmap_ns)},
           {"vmm.release", format_duration(h.vmm.release_ns)}};
    for (const auto& [key, source] : h.sources) out["sources." + key] = source;
  });
}

Verdict by_model(const std::string& file) {
  return verdict([&](Shown& out) {
    const ModelSpec m = load_model(file);
    const std::pair<const char*, std::int64_t> counts[] = {{"layers", m.layers},
                                                           {"hidden", m.hidden},
                                                           {"heads", m.heads},
                                                           {"kv_heads", m.kv_heads},
                                                           {"head_dim", m.head_dim},
                                                           {"intermediate", m.intermediate},
                                                           {"vocab", m.vocab},
                                                           {"max_positions", m.max_positions},
                                                           {"learned_positions", m.learned_positions},
                                                           {"experts", m.experts},
                                                           {"experts_per_token", m.experts_per_token},
                                                           {"expert_intermediate", m.expert_intermediate},
                                                           {"shared_experts", m.shared_experts},
                                                           {"dense_layers", m.dense_layers},
                                                           {"q_rank", m.q_rank},
                                                           {"kv_rank", m.kv_rank},
                                                           {"nope_dim", m.nope_dim},
                                                           {"rope_dim", m.rope_dim},
                                                           {"v_dim", m.v_dim},
                                                           {"window", m.window},
                                                           {"window_layers", m.window_layers}};
    const std::pair<const char*, bool> flags[] = {{"tied_embeddings", m.tied_embeddings},
                                                  {"qkv_bias", m.qkv_bias},
                                                  {"o_bias", m.o_bias},
                                                  {"mlp_bias", m.mlp_bias},
                                                  {"qk_norm", m.qk_norm},
                                                  {"sandwich_norms", m.sandwich_norms},
                                                  {"sinks", m.sinks},
                                                  {"router_bias", m.router_bias},
                                                  {"expert_bias", m.expert_bias}};
    for (const auto& [key, n] : counts) out[key] = fmt::format("{}", n);
    for (const auto& [key, on] : flags) out[key] = fmt::format("{}", on);
    out["name"] = m.name;
    out["source"] = m.source;
    out["mlp"] = m.mlp == Mlp::gated ? "gated" : "plain";
    out["norm"] = m.norm == Norm::rms ? "rms" : "layer";
    out["dtype"] = dtype_name(m.dtype);
    out["kv_dtype"] = dtype_name(m.kv_dtype);
    out["quantization"] = quant_name(m.quant);
  });
}
}  // namespace stowage::fuzz
