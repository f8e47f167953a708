// plan.json and plan.csv.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "planner/cost_draws.hpp"
#include "planner/decision.hpp"

namespace stowage {
namespace {
using Json = nlohmann::ordered_json;

Json targets_json(const Probe& probe) {
  Json out = Json::array();
  for (const auto& t : probe.targets) {
    const bool share = t.key.starts_with("goodput");
    const double unit = share ? 1 : 1e9;
    Json row = {{"target", t.key},
                {"limit", t.limit / unit},
                {"achieved", t.achieved / unit},
                {"met", t.met},
                {"margin", t.margin}};
    if (std::isinf(t.achieved)) row["unserved"] = true;  // it is that of a request that was not served
    if (t.over) row["over_limit"] = *t.over;
    if (t.over_half && std::isfinite(*t.over_half)) row["over_limit_half_width"] = *t.over_half;
    out.push_back(std::move(row));
  }
  return out;
}

Json probe_json(const Probe& p) {
  return {{"rate_per_s", p.rate_per_s},
          {"met", p.met},
          {"saturated", p.saturated},
          {"requests", p.requests},
          {"warm_up_cut", p.warm_up},
          {"rejected", p.rejected},
          {"rejected_why", p.rejected > 0 ? Json(p.rejected_why) : Json(nullptr)},
          {"preemptions", p.preemptions},
          {"kv_lost", p.kv_lost},
          {"output_tokens_per_s", p.output_tokens_per_s},
          {"ttft_p50_s", p.ttft_p50_ns / 1e9},
          {"tpot_p50_s", p.tpot_p50_ns / 1e9},
          {"e2e_p50_s", p.e2e_p50_ns / 1e9},
          {"targets", targets_json(p)}};
}

Json sizing_json(const Sizing& s, bool priced) {
  Json out = {{"replicas", s.replicas},
              {"gpus", s.gpus},
              {"nodes", s.nodes},
              {"node_gpus", s.node_gpus},
              {"stranded_gpus", s.stranded}};
  if (priced) out["usd_per_hour"] = s.usd_per_hour;
  if (s.watts > 0) out["watts"] = s.watts;
  return out;
}

Json candidate_json(const Plan& plan, std::size_t i) {
  const Candidate& c = plan.bench.candidates[i];
  Json out = {{"number", i}, {"name", c.name}, {"set", c.sets}, {"fate", fate_names[static_cast<std::size_t>(c.fate)]}};
  if (c.fate == Fate::impossible) {
    out["reason"] = c.reason;
    return out;
  }
  out["hardware"] = c.hardware;
  out["gpus_per_replica"] = c.gpus;
  out["manager"] = c.manager;
  out["kind"] = c.kind;
  out["deployable"] = c.deployable;
  out["prices"] = grounds_names[static_cast<std::size_t>(c.grounds)];
  out["bound_per_s"] = c.bound_per_s;
  if (c.fate != Fate::searched) return out;
  out["rate_per_s"] = c.capacity.rate_per_s;
  if (c.capacity.beyond) out["binding"] = c.capacity.beyond->binding();
  if (c.sizing) out["sizing"] = sizing_json(*c.sizing, plan.bench.priced);
  if (c.capacity.at) {
    out[plan.bench.priced ? "usd_per_million_output_tokens" : "gpu_hours_per_million_output_tokens"] =
        unit_cost(plan.bench, c);
    out["at_rate"] = probe_json(*c.capacity.at);
  }
  if (const auto command = vllm_command(c); !command.empty()) out["vllm"] = command;
  out["output_tokens_per_s_per_gpu"] =
      c.capacity.at ? Json(c.capacity.at->output_tokens_per_s / static_cast<double>(c.gpus)) : Json(nullptr);
  return out;
}

Json decision_json(const Plan& plan) {
  const Decision& d = plan.decision;
  Json out = {{"text", d.text}, {"feasible", d.feasible}};
  if (!d.winner) {
    out.update(Json{{"gpus", nullptr},
                    {"replicas", nullptr},
                    {"config", nullptr},
                    {"usd_per_hour", nullptr},
                    {"probability", nullptr},
                    {"binding", d.binding}});
    return out;
  }
  const Candidate& w = plan.bench.candidates[*d.winner];
  const Sizing& s = *w.sizing;
  out["gpus"] = s.gpus;
  out["replicas"] = s.replicas;
  out["config"] = w.sets;
  out["usd_per_hour"] = plan.bench.priced ? Json(s.usd_per_hour) : Json(nullptr);
  out["probability"] = plan.uncertainty.draws > 0 ? Json(plan.uncertainty.suffices) : Json(nullptr);
  out["binding"] = d.binding;
  out["name"] = w.name;
  out["number"] = *d.winner;
  out["sizing"] = sizing_json(s, plan.bench.priced);
  out["prices"] = grounds_names[static_cast<std::size_t>(w.grounds)];
  if (!d.feasible) return out;
  out["firmness"] = d.firmness;
  out["usd_per_million_output_tokens"] = plan.bench.priced ? Json(d.usd_per_million_output_tokens) : Json(nullptr);
  if (s.watts > 0) out["joules_per_output_token"] = d.joules_per_output_token;
  out["headroom"] = {{"rate", d.headroom_rate}, {"length", d.headroom_length}};
  out["changes"] = d.changes;
  Json savings = Json::array();
  for (const auto& saving : d.savings)
    savings.push_back({{"candidate", saving.candidate},
                       {"manager", plan.bench.candidates[saving.candidate].manager},
                       {"gpus", saving.gpus},
                       {"usd_per_hour", saving.usd_per_hour}});
  out["not_deployable_would_save"] = savings;
  if (d.checked) out["fleet"] = probe_json(*d.checked);
  if (d.one_less) out["fleet_with_one_less"] = probe_json(*d.one_less);
  return out;
}

Json uncertainty_json(const Plan& plan) {
  const Uncertainty& u = plan.uncertainty;
  Json out = {{"draws", u.draws}};
  if (u.draws == 0) return out;
  out["of"] = draws_text(plan.bench.candidates[*plan.decision.winner]) + "; block bootstrap of the workload";
  out["suffices"] = u.suffices;
  out["wins"] = u.wins;
  out["best_settings"] = u.best_settings;
  out["contenders"] = u.contenders;
  out["rate_per_s_90"] = {u.rate_low, u.rate_high};
  Json by = Json::array();
  for (const auto& [replicas, share] : u.suffice_by_replicas)
    by.push_back({{"replicas", replicas}, {"suffice_in", share}});
  out["by_replicas"] = by;
  return out;
}

/// Three pairs of figures, each with its front: what a token costs, how long it takes, how many a GPU makes.
Json fronts_json(const Plan& plan) {
  const auto cost = [&](const Candidate& c) { return unit_cost(plan.bench, c); };
  const auto tpot = [](const Candidate& c) { return c.capacity.at->tpot_p50_ns; };
  const auto ttft = [](const Candidate& c) { return c.capacity.at->ttft_p50_ns; };
  const auto slowness = [](const Candidate& c) {
    return -c.capacity.at->output_tokens_per_s / static_cast<double>(c.gpus);
  };
  const std::string money = plan.bench.priced ? "usd_per_million_output_tokens" : "gpu_hours_per_million_output_tokens";
  return {{{"x", "tpot_p50_s"}, {"y", money}, {"front", pareto_front(plan, cost, tpot)}},
          {{"x", "ttft_p50_s"}, {"y", money}, {"front", pareto_front(plan, cost, ttft)}},
          {{"x", "tpot_p50_s"}, {"y", "output_tokens_per_s_per_gpu"}, {"front", pareto_front(plan, slowness, tpot)}}};
}

Json optional_json(const std::optional<double>& x) { return x ? Json(*x) : Json(nullptr); }

Json outlook_json(const Outlook& o) {
  Json curves = Json::array(), changes = Json::array();
  for (const Curve& c : o.curves) {
    Json probes = Json::array();
    for (const Probe& p : c.probes) probes.push_back(probe_json(p));
    curves.push_back({{"candidate", c.candidate}, {"probes", std::move(probes)}});
  }
  for (const RateWhatIf& w : o.what_if) {
    Json row = {{"what", w.what}};
    if (w.note.empty()) {
      row["low"] = {{"text", w.low_text}, {"rate_per_s", optional_json(w.low_per_s)}};
      row["high"] = {{"text", w.high_text}, {"rate_per_s", optional_json(w.high_per_s)}};
    } else {
      row["note"] = w.note;
    }
    changes.push_back(std::move(row));
  }
  return {{"curves", std::move(curves)}, {"what_if", {{"rate_per_s", o.base_per_s}, {"changes", std::move(changes)}}}};
}
}  // namespace

std::string plan_json(const Plan& plan) {
  const auto& counts = plan.found.counts;
  Json out = {{"schema", "stowage.plan/1"}, {"study", plan.bench.study.name}, {"decision", decision_json(plan)}};
  out["demand"] = {{"requests_per_s", plan.bench.demand_per_s},
                   {"text", plan.bench.demand_text},
                   {"knee", plan.bench.study.plan.knee},
                   {"spare", plan.bench.study.plan.spare},
                   {"prompt_mean", plan.bench.requests.prompt_mean},
                   {"output_mean", plan.bench.requests.output_mean}};
  out["uncertainty"] = uncertainty_json(plan);
  out["search"] = {{"candidates", counts.candidates},
                   {"impossible", counts.impossible},
                   {"bounded", counts.bounded},
                   {"dropped", counts.dropped},
                   {"searched", counts.searched},
                   {"probes", counts.probes},
                   {"requests_simulated", counts.requests}};
  out["ranking"] = plan.found.ranking;
  out["best_of_kind"] = plan.found.best_of_kind;
  out["pareto"] = pareto_front(plan);
  out["fronts"] = fronts_json(plan);
  if (plan.outlook) out.update(outlook_json(*plan.outlook));
  Json candidates = Json::array();
  for (std::size_t i = 0; i < plan.bench.candidates.size(); ++i) candidates.push_back(candidate_json(plan, i));
  out["candidates"] = std::move(candidates);
  out["notes"] = plan.bench.notes;
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string plan_csv(const Plan& plan) {
  const auto quoted_text = [](std::string_view text) {
    std::string out = "\"";
    for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + "\"";
  };
  const auto or_empty = [](double x) { return std::isfinite(x) ? fmt::format("{}", x) : ""; };
  std::string out = fmt::format(
      "number,rank,fate,name,hardware,gpus_per_replica,manager,deployable,prices,bound_per_s,rate_per_s,binding,"
      "replicas,gpus,nodes,stranded_gpus,usd_per_hour,{}_per_million_output_tokens,ttft_p50_s,tpot_p50_s,kv_lost,set,"
      "vllm\n",
      plan.bench.priced ? "usd" : "gpu_hours");
  std::vector<std::size_t> rank(plan.bench.candidates.size(), 0);
  for (std::size_t n = 0; n < plan.found.ranking.size(); ++n) rank[plan.found.ranking[n]] = n + 1;
  for (std::size_t i = 0; i < plan.bench.candidates.size(); ++i) {
    const Candidate& c = plan.bench.candidates[i];
    out += fmt::format("{},{},{},{},", i, rank[i] > 0 ? fmt::format("{}", rank[i]) : "",
                       fate_names[static_cast<std::size_t>(c.fate)], quoted_text(c.name));
    if (c.fate == Fate::impossible) {
      out += fmt::format(",,,,,,,,,,,,,,,,,{},\n", quoted_text(c.reason));
      continue;
    }
    out += fmt::format("{},{},{},{},{},{},", quoted_text(c.hardware), c.gpus, quoted_text(c.manager),
                       quoted_text(c.deployable), grounds_names[static_cast<std::size_t>(c.grounds)], c.bound_per_s);
    if (c.fate == Fate::searched)
      out += fmt::format("{},{},", c.capacity.rate_per_s,
                         quoted_text(c.capacity.beyond ? c.capacity.beyond->binding() : ""));
    else
      out += ",,";
    if (c.sizing)
      out += fmt::format("{},{},{},{},{},", c.sizing->replicas, c.sizing->gpus, c.sizing->nodes, c.sizing->stranded,
                         plan.bench.priced ? fmt::format("{}", c.sizing->usd_per_hour) : "");
    else
      out += ",,,,,";
    if (const auto& at = c.capacity.at)
      out += fmt::format("{},{},{},{},", unit_cost(plan.bench, c), or_empty(at->ttft_p50_ns / 1e9),
                         or_empty(at->tpot_p50_ns / 1e9), at->kv_lost);
    else
      out += ",,,,";
    out += quoted_text(c.sets) + ",";
    if (c.fate == Fate::searched)
      if (const auto command = vllm_command(c); !command.empty()) out += quoted_text(command);
    out += "\n";
  }
  return out;
}
}  // namespace stowage
