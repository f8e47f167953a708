#include "reports/json.hpp"

#include <algorithm>
#include <variant>

#include "base/error.hpp"
#include "reports/fleet.hpp"
#include "sim/latency.hpp"
#include "reports/metrics.hpp"
#include "sim/kv/registry.hpp"

namespace stowage {
namespace {
using Json = nlohmann::ordered_json;

double seconds(double ns) { return ns / 1e9; }
double seconds(std::int64_t ns) { return static_cast<double>(ns) / 1e9; }

Json summary(const Latency& latency, const RunResult& run) {
  const Summary s = latency.of(run).summary();
  const double u = latency.units_per_s;  // divided, not multiplied: 0.01 s prints as 0.01
  return {{"mean", s.mean / u}, {"p50", s.p50 / u}, {"p90", s.p90 / u}, {"p95", s.p95 / u},
          {"p99", s.p99 / u},   {"max", s.max / u}, {"count", s.count}};
}

/// A result of another version may have managers, and parameters, that this one has not.
bool is_flag(const ManagerSpec& spec, std::string_view name) {
  const ManagerRow* row = find_manager(spec.kind);
  if (row == nullptr) return false;
  const auto param = std::ranges::find(row->params, name, &ParamSpec::name);
  return param != row->params.end() && param->type == ParamType::flag;
}

Json manager(const ManagerSpec& spec) {
  Json out = {{"kind", spec.kind}};
  for (const auto& [name, value] : spec.params) {
    if (is_flag(spec, name)) out[name] = spec.flag(name);
    else std::visit([&, key = name](const auto& v) { out[key] = v; }, value);
  }
  return out;
}

Json slo(const ReportInput& input, const RunResult& run) {
  Json rows = Json::array();
  for (const SloCheck& check : check_slo(input.slo, run)) {
    rows.push_back({{"key", check.target.key},
                    {"limit_s", seconds(check.target.limit_ns)},
                    {"achieved_s", check.achieved_ns ? Json(seconds(*check.achieved_ns)) : Json(nullptr)},
                    {"met", check.met}});
  }
  return {{"met", slo_met(input.slo, run)}, {"targets", std::move(rows)}};
}

/// One entry a change and direction that was simulated.
Json sensitivity(const ReportInput& input) {
  const Sensitivity& s = *input.sensitivity;
  const auto outcomes = [&](const WhatIf::Outcomes& all) {
    Json out = Json::object();
    for (std::size_t i = 0; i < std::min(all.size(), input.runs.size()); ++i) {
      out[input.runs[i].name] =
          all[i] ? Json{{"ttft_p99_s", seconds(all[i]->ttft_p99_ns)}, {"requests_per_s", all[i]->requests_per_s}}
                 : Json(nullptr);
    }
    return out;
  };
  Json changes = Json::array();
  for (const WhatIf& w : s.changes) {
    if (!w.note.empty()) {
      changes.push_back({{"what", w.what}, {"note", w.note}});
      continue;
    }
    changes.push_back({{"what", w.what}, {"change", w.low_text}, {"set", w.low_set}, {"runs", outcomes(w.low)}});
    changes.push_back({{"what", w.what}, {"change", w.high_text}, {"set", w.high_set}, {"runs", outcomes(w.high)}});
  }
  return {
      {"of", s.basis.empty() ? "all requests" : s.basis}, {"base", outcomes(s.base)}, {"changes", std::move(changes)}};
}

/// What prompts had in common. A block is one of the manager's, of `block_size` tokens.
Json prefix(const RunResult& run) {
  const RunResult::Prefix& p = run.prefix;
  const auto block_bytes = static_cast<double>(run.manager.integer("block_size") * run.bytes_per_token);
  const double cached = run.mean_fraction[static_cast<std::size_t>(Part::cached)];
  return {{"queried_tokens", p.queried_tokens},
          {"hit_tokens", p.hit_tokens},
          {"hit_fraction", p.queried_tokens > 0
                               ? Json(static_cast<double>(p.hit_tokens) / static_cast<double>(p.queried_tokens))
                               : Json()},
          {"resumed_tokens", p.resumed_tokens},
          {"resumed_hit_tokens", p.resumed_hit_tokens},
          {"cached_blocks_mean", cached * static_cast<double>(run.pool_bytes) / block_bytes}};
}

/// resolved.yaml writes the terms of a front end where there is one; all of them 0 is none.
bool has_frontend(const ReportInput& input) {
  const auto terms = input.scenario.find("frontend");
  return terms != input.scenario.end() && terms->is_object() &&
         std::ranges::any_of(*terms, [](const Json& term) { return term != "0s"; });
}

Json run_json(const ReportInput& input, const RunResult& run, WallTimes wall) {
  Json fractions = Json::object();
  for (std::size_t i = 0; i < part_count; ++i) fractions[std::string(part_names[i])] = run.mean_fraction[i];
  Json out = {{"name", run.name},
              {"manager", manager(run.manager)},
              {"requests",
               {{"submitted", run.submitted},
                {"completed", run.completed},
                {"rejected", run.rejected},
                {"unfinished", run.unfinished},
                {"preemptions", run.preemptions}}},
              {"makespan_s", seconds(run.makespan())},
              {"iterations", run.iterations},
              {"throughput",
               {{"requests_per_s", rate_or_nothing(run, run.requests_per_s())},
                {"prompt_tokens_per_s", rate_or_nothing(run, run.prompt_tokens_per_s())},
                {"output_tokens_per_s", rate_or_nothing(run, run.output_tokens_per_s())}}},
              {"ttft_s", summary(ttft, run)},
              {"tbt_s", summary(tbt, run)},
              {"tpot_s", summary(tpot, run)},
              {"e2e_s", summary(e2e, run)},
              {"queue_s", summary(queueing, run)},
              {"batch", {{"mean", run.batch_mean}, {"max", run.batch_max}}},
              {"kv",
               {{"pool_bytes", run.pool_bytes},
                {"pool_tokens", run.pool_tokens},
                {"bytes_per_token", run.bytes_per_token},
                {"peak_committed_bytes", run.peak_committed_bytes},
                {"peak_live_bytes", run.peak_live_bytes},
                {"mean_fraction", std::move(fractions)}}},
              {"vmm",
               {{"map_calls", run.vmm.map_calls},
                {"unmap_calls", run.vmm.unmap_calls},
                {"busy_s", seconds(run.vmm.busy_ns)},
                {"stall_s", seconds(run.vmm.stall_ns)},
                {"stall_max_s", seconds(run.vmm.stall_max_ns)},
                {"stalled_iterations", run.vmm.stalled_iterations}}}};
  if (run.prefix.caching) out["prefix"] = prefix(run);
  if (wall == WallTimes::told) out["wall_s"] = seconds(run.wall_ns);
  if (has_frontend(input) || run.client_ttft_ns.count() > 0) {  // null of a run that served nobody
    out["client_ttft_s"] = summary(client_ttft, run);
    out["client_e2e_s"] = summary(client_e2e, run);
  }
  if (!run.replicas.empty()) {
    out["imbalance"] = imbalance_json(run);
    out["replicas"] = replicas_json(run);
  }
  if (!input.slo.empty()) out["slo"] = slo(input, run);
  if (!run.first_rejected.empty()) {
    Json rows = Json::array();
    for (const RejectedRequest& r : run.first_rejected) {
      rows.push_back(
          {{"id", r.id}, {"prompt_tokens", r.prompt_tokens}, {"output_tokens", r.output_tokens}, {"reason", r.reason}});
    }
    out["first_rejected"] = std::move(rows);
  }
  return out;
}
}  // namespace

std::string_view evidence_name(Evidence evidence) {
  switch (evidence) {
    case Evidence::measured:
      return "measured";
    case Evidence::scaled:
      return "scaled";
    case Evidence::published:
      return "published";
    case Evidence::engine_log:
      return "engine-log";
    case Evidence::roofline:
      return "roofline";
    case Evidence::linear:
      return "linear";
  }
  STOWAGE_ASSERT(false);
  return {};
}

nlohmann::ordered_json to_json(const ReportInput& input, WallTimes wall) {
  Json runs = Json::array();
  for (const RunResult& run : input.runs) runs.push_back(run_json(input, run, wall));
  Json out = {{"schema", "stowage.result/1"}, {"scenario", input.scenario}, {"runs", std::move(runs)}};
  out["cost"] = {{"source", input.cost_source}, {"evidence", evidence_name(input.evidence)}};
  if (!input.budget.empty()) {
    Json parts = Json::array();
    for (const BudgetPart& part : input.budget) parts.push_back({{"label", part.label}, {"bytes", part.bytes}});
    out["budget_per_gpu"] = std::move(parts);
  }
  if (input.sensitivity) out["sensitivity"] = sensitivity(input);
  out["notes"] = input.notes;
  out["provenance"] = {{"version", input.version},
                       {"command", input.command},
                       {"seed", input.seed},
                       {"workload", input.workload_name},
                       {"ledger", input.ledger}};
  return out;
}

std::string to_json_text(const ReportInput& input, WallTimes wall) {
  return to_json(input, wall).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}
}  // namespace stowage
