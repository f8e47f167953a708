#include "planner/candidates.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/shell.hpp"
#include "planner/axis_check.hpp"
#include "planner/spec_sheet.hpp"
#include "scenario/cache.hpp"
#include "sim/kv/registry.hpp"
#include "sim/sched/scheduler.hpp"

namespace stowage {
namespace {
constexpr std::uint64_t candidates_max = 1'000'000;
constexpr std::size_t read_max = std::size_t{1} << 22;

struct ResolvedPoint {
  std::shared_ptr<const Scenario> scenario;
  ConfigDocument document;
  std::string reason;             // when there is no scenario
  std::vector<Problem> problems;  // and that is because it is refused
};

Grounds grounds_of(const Scenario& s) {
  switch (s.cost_used) {
    case CostSource::linear:
      return Grounds::linear;
    case CostSource::profile: {
      if (s.profile->evidence == ProfileEvidence::published) return Grounds::published;
      const bool own = s.profile->evidence == ProfileEvidence::measured && s.profile->name == s.hardware.name;
      return own && s.profile_gaps.empty() ? Grounds::measured : Grounds::scaled;
    }
    case CostSource::roofline:
      break;
  }
  return Grounds::roofline;
}

std::vector<ResolvedPoint> resolve_all(const Study& study, const Space& space, int jobs, ScenarioCache& cache) {
  std::vector<ResolvedPoint> out(space.size());
  const int cores = tbb::info::default_concurrency();
  tbb::task_arena arena(jobs > 0 ? std::min(jobs, cores) : cores);
  arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, out.size(), [&](std::size_t i) {
      out[i].document = space.document(study.base, i);
      try {
        out[i].scenario = std::make_shared<const Scenario>(resolve_scenario(out[i].document, {}, cache));
      } catch (const InfeasibleError& error) { out[i].reason = error.what(); } catch (const InputError& error) {
        // Values that do not go together: each of them goes with others.
        out[i].reason = error.problems().front().str();
        out[i].problems = error.problems();
      }
    });
  });
  return out;
}

/// The scenario's own targets stand when the study has none.
void take_slo_of_scenario(Study& study) {
  const ConfigNode slo = study.base.root().get("slo");
  if (!study.plan.slo.empty() || slo.size() == 0) return;
  Problems problems;
  study.plan.slo = read_plan_slo(slo, problems);
  problems.throw_if_any();
}

std::string manager_set(const ConfigDocument& document, std::size_t entry) {
  return fmt::format("--set 'managers=[{}]'", flow_text(document.root().get("managers")[entry]));
}

/// The axes' values in words, the managers' own apart.
std::string short_name(const Workbench& bench, const Scenario& s, const std::string& manager, std::uint64_t point) {
  std::string out = fmt::format("{} x {}, {}", s.cluster.tensor * s.cluster.pipeline, s.hardware.name, manager);
  static const std::set<std::string_view> said = {"hardware", "cluster.tensor", "managers"};
  const auto values = bench.space.at(point);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Axis& axis = bench.space.axes()[i];
    if (said.contains(axis.path)) continue;
    for (const AxisPart& part : parts_of(axis))
      if (const std::string text = part.text(*values[i]); !text.empty()) out += fmt::format(", {} {}", part.word, text);
  }
  return out;
}

void add_candidates(Workbench& bench, std::uint64_t point, const ResolvedPoint& resolved) {
  if (!resolved.scenario) {
    Candidate c;
    c.point = point;
    c.name = bench.space.sets(point);
    c.sets = c.name;
    c.fate = Fate::impossible;
    c.reason = resolved.reason;
    // One for each of its managers, so that configurations are counted as those of the other points.
    const ConfigNode managers = resolved.document.root().get("managers");
    const std::size_t runs = managers.kind() == ConfigNode::Kind::list ? std::max<std::size_t>(1, managers.size()) : 1;
    for (c.run = 0; c.run < runs; ++c.run) bench.candidates.push_back(c);
    return;
  }
  const Scenario& s = *resolved.scenario;
  if (s.cluster.replicas > 1 || !s.cluster.groups.empty())
    throw InputError({bench.study.file},
                     "a plan counts the replicas itself; leave out cluster.replicas and cluster.groups");
  const std::size_t managers = s.runs.size() + s.unfit.size();
  std::size_t run = 0;
  for (std::size_t entry = 0; entry < managers; ++entry) {
    Candidate c;
    c.point = point;
    c.sets = bench.space.sets(point);
    if (managers > 1) c.sets += (c.sets.empty() ? "" : " ") + manager_set(resolved.document, entry);
    if (const auto unfit = std::ranges::find(s.unfit, entry, &UnfitManager::entry); unfit != s.unfit.end()) {
      c.name = short_name(bench, s, unfit->name, point);
      c.fate = Fate::impossible;
      c.reason = unfit->reason;
      bench.candidates.push_back(std::move(c));
      continue;
    }
    c.run = run++;
    c.scenario = resolved.scenario;
    c.manager = c.config().manager.name;
    c.kind = c.config().manager.kind;
    c.deployable = row_of(c.config().manager).deployable;
    if (!find_scheduler(s.scheduler.policy)->retired.empty()) {  // engines ship managers; none ships this any more
      c.deployable = "none";
      c.manager += " (" + s.scheduler.policy + ")";
    }
    c.hardware = s.hardware.name;
    c.gpus = s.cluster.tensor * s.cluster.pipeline;
    c.grounds = grounds_of(s);
    c.name = short_name(bench, s, c.manager, point);
    bench.candidates.push_back(std::move(c));
  }
}

void find_prices(Workbench& bench) {
  std::set<std::string> missing;
  bench.priced = !bench.study.plan.prices.empty();
  for (auto& c : bench.candidates) {
    if (!c.scenario) continue;
    // A GPU described in a file of the user's goes by the name in that file.
    const auto price = bench.study.plan.prices.find(c.hardware);
    if (price != bench.study.plan.prices.end())
      c.price = price->second;
    else if (bench.priced)
      missing.insert(c.hardware);
    else
      c.price.gpus = std::max<std::int64_t>(1, c.scenario->hardware.node_gpus);
  }
  if (!missing.empty())
    throw InputError({bench.study.file, 0, 0},
                     fmt::format("'prices' has no price for {}; add {}: {{usd_per_node_hour: ..., gpus_per_node: 8}}",
                                 fmt::join(missing, ", "), *missing.begin()));
  if (bench.priced) return;
  if (bench.study.plan.usd_per_hour_max)
    throw InputError({bench.study.file, 0, 0}, "'limits.usd_per_hour' needs 'prices' to know what an hour costs");
  if (bench.study.plan.objective != Objective::gpus) {
    bench.notes.push_back("no prices given: ranked by GPUs; add prices to rank by cost");
    bench.study.plan.objective = Objective::gpus;
  }
}

/// A probe repeats, draws and scales requests, and does not know what their prompts have in common.
void leave_content_out(Workbench& bench, std::vector<Request>& all) {
  bool shared = false;
  for (Request& r : all) shared = std::exchange(r.content, -1) >= 0 || shared;
  if (shared)
    bench.notes.push_back("what prompts have in common is left out of a plan: all of every prompt is computed");
}

void find_demand(Workbench& bench, const std::vector<Request>& all) {
  const PlanSpec& plan = bench.study.plan;
  std::vector<Request> window = all;
  if (plan.window_ns) window = busiest_window(all, static_cast<std::int64_t>(*plan.window_ns));
  bench.busiest = request_set(window);
  bench.requests = request_set(of_length(window, plan.probe_requests));
  bench.brief = brief_of(bench.requests);
  double rate = bench.busiest.rate_per_s;
  if (plan.demand_per_s) {
    rate = *plan.demand_per_s;
    bench.demand_text = fmt::format("{:.4g} requests/s as asked", rate);
  } else if (plan.window_ns) {
    bench.demand_text =
        fmt::format("{:.4g} requests/s in the busiest {} of the workload", rate, format_duration(*plan.window_ns));
  } else {
    bench.demand_text = fmt::format("{:.4g} requests/s of the workload", rate);
  }
  if (plan.growth != 1) bench.demand_text += fmt::format(", times {:.4g}", plan.growth);
  if (!(rate > 0) && plan.objective != Objective::rate_per_dollar)
    throw InputError({bench.study.file, 0, 0},
                     "the workload has no rate (all its requests arrive at once); give 'demand: 10/s'");
  bench.demand_per_s = rate * plan.growth;
  if (bench.busiest.size() < 1000)
    bench.notes.push_back(
        fmt::format("only {} requests to go by: percentiles of so few are uncertain", bench.busiest.size()));
  else if (bench.busiest.size() < plan.probe_requests)
    bench.notes.push_back(fmt::format("the workload has {} requests; a probe of {} repeats them", bench.busiest.size(),
                                      plan.probe_requests));
}

/// Requests that no candidate admits stay: each is one that was not served. They are said once, for all candidates.
void note_too_long(Workbench& bench, const std::vector<Request>& all) {
  std::int64_t longest = 0;
  for (const auto& c : bench.candidates)
    if (c.scenario) longest = std::max(longest, c.scenario->scheduler.max_model_len);
  const auto too_long = std::count_if(all.begin(), all.end(), [&](const Request& r) {
    return std::int64_t{r.prompt_tokens} + r.output_tokens > longest;
  });
  if (static_cast<std::size_t>(too_long) == all.size())
    throw InfeasibleError(fmt::format("{}: error: nothing here serves any of the {} requests: each is longer than "
                                      "max_model_len ({}); raise scheduler.max_model_len",
                                      bench.study.file, all.size(), longest));
  if (too_long > 0)
    bench.notes.push_back(
        fmt::format("{} of {} requests are longer than max_model_len {}: nothing here serves them, and each counts as "
                    "one that misses its objectives",
                    too_long, all.size(), longest));
}
}  // namespace

Workbench set_up(Study study, int jobs) {
  Workbench bench;
  bench.study = std::move(study);
  bench.space = Space(bench.study.axes);
  ScenarioCache cache;
  cache.many_points = true;
  check_axes(bench.study.base, bench.space, cache);
  take_slo_of_scenario(bench.study);
  if (bench.study.plan.slo.empty())
    throw InputError({bench.study.file, 0, 0}, "a plan needs to know what is good enough; add slo: {ttft_p99: 1s}");
  if (bench.space.size() > candidates_max)
    throw InputError({bench.study.file, 0, 0}, fmt::format("the space has {} points; a plan takes at most {}",
                                                           bench.space.size(), candidates_max));
  for (const Axis& axis : bench.space.axes()) {
    const std::string_view first = std::string_view(axis.path).substr(0, axis.path.find('.'));
    if (first == "slo" || first == "name")
      throw InputError(axis.at, fmt::format("'{}' is the same for all configurations of a plan", axis.path));
    if (axis.path == "cluster.router")
      throw InputError(axis.at, "a plan sizes by one replica, whatever routes to it: set cluster.router, or vary it "
                                "with 'stowage sweep'");
  }
  const auto points = resolve_all(bench.study, bench.space, jobs, cache);
  std::shared_ptr<const Workload> workload;
  std::string first_reason;
  for (std::uint64_t p = 0; p < points.size(); ++p) {
    add_candidates(bench, p, points[p]);
    if (!points[p].scenario) {
      if (first_reason.empty()) first_reason = points[p].reason;
      continue;
    }
    // One demand for all: the requests must not be part of the space.
    const auto& own = points[p].scenario->runs.front().workload;
    if (!workload) {
      workload = own;
      bench.notes = bench.warnings = points[p].scenario->warnings;
    } else if (workload != own) {
      throw InputError({bench.study.file, 0, 0},
                       "a plan compares configurations under one workload; vary it with "
                       "'stowage sweep', or write a study for each");
    }
  }
  const auto refused = [](const ResolvedPoint& p) { return !p.problems.empty(); };
  if (std::all_of(points.begin(), points.end(), refused)) throw InputError(points.front().problems);
  if (!workload)
    throw InfeasibleError(fmt::format("none of the {} points is possible; the first: {}", points.size(), first_reason));
  find_prices(bench);
  std::vector<Request> all = read_all(*workload, read_max);
  leave_content_out(bench, all);
  note_too_long(bench, all);
  find_demand(bench, all);
  if (std::string note = spec_sheet_note(bench.candidates); !note.empty()) bench.notes.push_back(std::move(note));
  return bench;
}

std::string vllm_command(const Candidate& c) {
  if (c.deployable.find("vllm") == std::string::npos) return "";
  const Scenario& s = *c.scenario;
  // The zoo's models name their checkpoint: "config.json published with ORG/NAME; ...".
  std::string model = s.model_ref;
  for (const std::string_view lead : {"published with ", "config.json of "}) {
    const auto at = s.model.source.find(lead);
    if (at == std::string::npos) continue;
    const auto begin = at + lead.size();
    const auto end = std::min(s.model.source.find_first_of("; ", begin), s.model.source.size());
    model = s.model.source.substr(begin, end - begin);
    break;
  }
  std::string out = fmt::format("vllm serve {} --tensor-parallel-size {}", shell_word(model), s.cluster.tensor);
  if (s.cluster.pipeline > 1) out += fmt::format(" --pipeline-parallel-size {}", s.cluster.pipeline);
  if (s.memory.utilization) out += fmt::format(" --gpu-memory-utilization {}", *s.memory.utilization);
  out += fmt::format(" --max-model-len {} --max-num-seqs {} --max-num-batched-tokens {}", s.scheduler.max_model_len,
                     s.scheduler.max_batch, s.scheduler.max_batched_tokens);
  if (const auto flags = row_of(c.config().manager).vllm_flags; flags != nullptr)
    out += flags(c.config(), !s.memory.utilization);
  if (!s.scheduler.chunked_prefill) out += " --no-enable-chunked-prefill";
  return out;
}
}  // namespace stowage
