#include "planner/study_keys.hpp"

#include <algorithm>

#include "scenario/keys/reference.hpp"
#include "scenario/keys/tables.hpp"

namespace stowage::keys {
namespace {
constexpr std::string_view token_range = "([0-9]+(k|Ki)?)?\\.\\.([0-9]+(k|Ki)?)?";

Table slo_table(std::string_view about) {
  Table table = latency_keys(about, {"mean", "max", "p50", "p90", "p95", "p99", any_percentile});
  Key goodput;
  goodput.name = "goodput";
  goodput.form = map(goodput_keys());
  goodput.about = "a share of the requests that meet all limits together";
  goodput.absent = "no target";
  table.keys.push_back(std::move(goodput));
  return table;
}
}  // namespace

const TableOf<Goodput>& goodput_keys() {
  using G = Goodput;
  static const TableOf<G> table(
      "a share of the requests that meet all limits together; at least one limit",
      {{"share", number(0.001, 1), "of the requests", &G::share, {.required = true}},
       {"ttft", duration(0, unbounded), "arrival to first token", &G::ttft_ns, {.absent = "no limit"}},
       {"tpot", duration(0, unbounded), "mean gap between the tokens of a request", &G::tpot_ns,
        {.absent = "no limit"}},
       {"e2e", duration(0, unbounded), "arrival to last token", &G::e2e_ns, {.alias = "e2el", .absent = "no limit"}}});
  return table;
}

const TableOf<SloSet>& class_keys() {
  using S = SloSet;
  static const TableOf<S> table(
      "a class of requests by length",
      {{"name", text(), "as results call it", &S::name, {.absent = "made of its ranges"}},
       {"prompt", text(token_range), "tokens: 1..2000, 2001.. or ..500", Own<S>{}, {.absent = "any"}},
       {"output", text(token_range), "tokens", Own<S>{}, {.absent = "any"}}});
  return table;
}

const Table& plan_slo_keys() {
  static const Table table = slo_table("what is asked of latencies: by mean, maximum or any percentile (ttft_p99.9)");
  return table;
}

const Table& class_slo_keys() {
  static const Table table = [] {
    Table out = slo_table("targets of one class of requests");
    Key whom;
    whom.name = "for";
    whom.form = map(class_keys());
    whom.about = "which requests";
    whom.absent = "all";
    out.keys.push_back(std::move(whom));
    return out;
  }();
  return table;
}

const TableOf<NodePrice>& price_keys() {
  using P = NodePrice;
  static const TableOf<P> table(
      "what one node of a GPU costs; answers are in whole nodes",
      {{"usd_per_node_hour", number(1e-6, 1e9), "US dollars", &P::usd_per_hour, {.required = true}},
       {"gpus_per_node", count(1, 1 << 16), "GPUs", &P::gpus},
       {"watts", number(0, 1e9), "power of the node, host and fans included; 0 = not given", &P::watts}});
  return table;
}

const TableOf<PlanSpec>& limit_keys() {
  using P = PlanSpec;
  static const TableOf<P> table(
      "what a plan may take; broken limits are exit code 4",
      {{"gpus", count(1, 1 << 24), "GPUs, those of full nodes", &P::gpus_max, {.absent = "no limit"}},
       {"usd_per_hour", number(1e-6, 1e12), "US dollars", &P::usd_per_hour_max, {.absent = "no limit"}}});
  return table;
}

const TableOf<PlanSpec>& probe_keys() {
  using P = PlanSpec;
  static const TableOf<P> table(
      "how closely the sustained rate is looked for",
      {{"requests", count(100, 1 << 21), "of a full probe", &P::probe_requests},
       {"precision", number(0.0001, 0.5), "share of the rate between two rates that are tried", &P::precision}});
  return table;
}

const TableOf<PlanSpec>& search_keys() {
  using P = PlanSpec;
  static const TableOf<P> table(
      "how candidates are searched",
      {{"exhaustive", flag(), "search every candidate to the end", &P::exhaustive},
       {"draws", count(0, 10'000), "of prices and workload, for how sure the answer is; 0 = none", &P::draws}});
  return table;
}

const TableOf<PlanSpec>& study_keys() {
  using P = PlanSpec;
  static const TableOf<P> table = [] {
    Form scenario = map(scenario_keys());
    scenario.partial = true;
    return TableOf<P>(
        "a study: a scenario, a space around it, what is asked of it, and what it may cost",
        {{"schema", count(1, 1), "version of this form", Own<P>{}, {.absent = "1"}},
         {"name", text(), "as reports call it", Own<P>{}, {.absent = "the scenario's, or the file's"}},
         {"scenario", std::move(scenario).or_else(text()), "a scenario, or the path of one", Own<P>{},
          {.required = true}},
         {"space", axes(), "paths of the scenario, each with its values or a range of them",
          Own<P>{}, {.absent = "one point"}},
         {"slo", map(plan_slo_keys()).or_else(list({&class_slo_keys()})), "what is asked of latencies", Own<P>{},
          {.absent = "the scenario's"}},
         {"prices", map(price_keys(), Type::map_by_name), "by name of the GPU", Own<P>{},
          {.absent = "GPUs are counted"}},
         {"objective", one_of({objective_names.begin(), objective_names.end()}),
          "what is least; `rate_per_dollar` is of one replica, and most", &P::objective},
         {"demand", above_zero(rate(0, unbounded)), "requests to be served", &P::demand_per_s,
          {.absent = "the workload's own rate"}},
         {"window", duration(1e9, unbounded), "rate and requests are those of the busiest stretch of this length",
          &P::window_ns, {.absent = "all of the workload"}},
         {"growth", number(0.001, 1e6), "the demand is multiplied by it", &P::growth},
         {"knee", number(0.01, 1), "share of a replica's sustained rate that is used", &P::knee},
         {"spare", count(0, 1000).or_else(text("N(\\+[0-9]+)?")), "replicas beyond those needed: 1 or N+1", Own<P>{},
          {.absent = "0"}},
         {"limits", map(limit_keys()), "what a plan may take", Own<P>{}, {.absent = "none"}},
         {"probe", map(probe_keys()), "how closely the sustained rate is looked for", Own<P>{}, {.absent = "as below"}},
         {"search", map(search_keys()), "how candidates are searched", Own<P>{}, {.absent = "as below"}}});
  }();
  return table;
}

std::string reference_page() {
  constexpr std::string_view head = R"(# Keys

What may stand in a scenario and in a study. `stowage schema reference` prints this page, `stowage schema scenario` and
`stowage schema study` print the same as a JSON Schema, and `resolved.yaml` of any run shows every key with its value.

A key may be written with `-` for `_`. `also` is another name of the same key; both names of one key are an error.
`[]` is an entry of a list: `--set 'managers[0].block_size=32'`. Quantities carry units: sizes `80GiB` (binary), `80GB`
(decimal), `2MiB`, `123B`; durations `30us`, `10ms`, `1s`, `5min`, `2h`; rates `5/s`, `300/min`. Whole numbers may be
`8k` = 8,000 or `8Ki` = 8,192, numbers may be shares: `90%`. Paths are relative to the file they stand in.

)";
  return std::string(head) + reference(scenario_keys(), "A scenario") + "\n" +
         reference(study_keys(), "A study", &scenario_keys());
}

std::vector<std::string> scenario_paths() { return paths(scenario_keys()); }

std::vector<std::string> study_paths() {
  std::vector<std::string> out;
  for (const std::string& path : paths(study_keys()))
    if (!path.starts_with("scenario.")) out.push_back(path);
  for (std::string& path : scenario_paths())
    if (std::find(out.begin(), out.end(), path) == out.end()) out.push_back(std::move(path));
  return out;
}
}  // namespace stowage::keys
