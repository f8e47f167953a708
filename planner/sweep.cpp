#include "planner/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/json_reader.hpp"
#include "base/read_log.hpp"
#include "planner/axis_check.hpp"
#include "planner/digest.hpp"
#include "sim/serve/simulate.hpp"
#include "sim/slo.hpp"

namespace stowage {
namespace {
using Json = nlohmann::ordered_json;

struct Column {
  std::string_view name;
  double (*value)(const RunResult&);
  bool whole = false;
};
double s(double ns) { return ns / 1e9; }
double part(const RunResult& r, Part p) { return r.mean_fraction[static_cast<std::size_t>(p)]; }

constexpr Column run_columns[] = {
    {"submitted", [](const RunResult& r) { return static_cast<double>(r.submitted); }, true},
    {"completed", [](const RunResult& r) { return static_cast<double>(r.completed); }, true},
    {"rejected", [](const RunResult& r) { return static_cast<double>(r.rejected); }, true},
    {"preemptions", [](const RunResult& r) { return static_cast<double>(r.preemptions); }, true},
    {"iterations", [](const RunResult& r) { return static_cast<double>(r.iterations); }, true},
    {"makespan_s", [](const RunResult& r) { return s(r.makespan()); }},
    {"requests_per_s", [](const RunResult& r) { return r.requests_per_s(); }},
    {"output_tokens_per_s", [](const RunResult& r) { return r.output_tokens_per_s(); }},
    {"ttft_mean_s", [](const RunResult& r) { return s(r.ttft_ns.mean()); }},
    {"ttft_p50_s", [](const RunResult& r) { return s(r.ttft_ns.quantile(0.5)); }},
    {"ttft_p90_s", [](const RunResult& r) { return s(r.ttft_ns.quantile(0.9)); }},
    {"ttft_p99_s", [](const RunResult& r) { return s(r.ttft_ns.quantile(0.99)); }},
    {"tbt_mean_s", [](const RunResult& r) { return s(r.tbt_ns.mean()); }},
    {"tbt_p99_s", [](const RunResult& r) { return s(r.tbt_ns.quantile(0.99)); }},
    {"tpot_mean_s", [](const RunResult& r) { return r.tpot_ps.mean() / 1e12; }},
    {"tpot_p99_s", [](const RunResult& r) { return r.tpot_ps.quantile(0.99) / 1e12; }},
    {"e2e_mean_s", [](const RunResult& r) { return s(r.e2e_ns.mean()); }},
    {"e2e_p99_s", [](const RunResult& r) { return s(r.e2e_ns.quantile(0.99)); }},
    {"queue_p99_s", [](const RunResult& r) { return s(r.queue_ns.quantile(0.99)); }},
    {"batch_mean", [](const RunResult& r) { return r.batch_mean; }},
    {"batch_max", [](const RunResult& r) { return static_cast<double>(r.batch_max); }, true},
    {"kv_pool_tokens", [](const RunResult& r) { return static_cast<double>(r.pool_tokens); }, true},
    {"kv_live", [](const RunResult& r) { return part(r, Part::live); }},
    {"kv_reserved", [](const RunResult& r) { return part(r, Part::reserved); }},
    {"kv_internal", [](const RunResult& r) { return part(r, Part::internal); }},
    {"kv_cached", [](const RunResult& r) { return part(r, Part::cached); }},
    {"kv_external", [](const RunResult& r) { return part(r, Part::external); }},
    {"vmm_stall_s", [](const RunResult& r) { return s(static_cast<double>(r.vmm.stall_ns)); }},
};
constexpr std::size_t row_size = 4 + std::size(run_columns);  // manager, status, ..., slo_met, note

/// What is asked of a point: its own `slo`, else the study's where one run's figures tell (no classes, no goodput).
std::vector<LatencyLimit> limits_of(const Scenario& scenario, const Study& study) {
  std::vector<LatencyLimit> out;
  for (const SloTarget& t : scenario.slo) out.push_back({t.name(), t.limit_ns});
  if (!out.empty()) return out;
  for (const SloSet& set : study.plan.slo) {
    if (!set.whole() || set.goodput) return {};
    for (const PlanTarget& t : set.targets) out.push_back({t.key, t.limit_ns});
  }
  return out;
}

Json row_of(const RunResult& run, std::span<const LatencyLimit> slo) {
  Json row = Json::array({run.name, run.completed > 0 ? "ok" : "nothing served"});
  for (const auto& c : run_columns) {
    const double x = c.value(run);  // NaN, of nothing, is null
    if (c.whole)
      row.push_back(static_cast<std::int64_t>(x));
    else
      row.push_back(x);
  }
  row.push_back(slo.empty() ? Json(nullptr) : Json(slo_met(slo, run)));
  row.push_back(run.rejected > 0 && !run.first_rejected.empty()
                    ? fmt::format("{} rejected, the first: {}", run.rejected, run.first_rejected.front().reason)
                    : "");
  return row;
}

/// A point that is no scenario, with the reason where the numbers would be.
Json row_without_run(std::string_view status, const std::string& why, const std::string& manager = "") {
  Json row = Json::array({manager, status});
  for (std::size_t i = 0; i <= std::size(run_columns); ++i) row.push_back(nullptr);
  row.push_back(why);
  return row;
}

std::string cell(const Json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return value.dump();
  const auto& text = value.get_ref<const std::string&>();
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

Json parsed(std::string_view record) {
  Json json = Json::parse(record, nullptr, false);
  if (!json.is_object() || !json.contains("point") || !json["point"].is_number_unsigned() || !json.contains("rows") ||
      !json["rows"].is_array())
    throw InputError({}, fmt::format("'{}' is no record of a sweep", shown(record)));
  return json;
}
}  // namespace

Shard parse_shard(std::string_view text) {
  const auto slash = text.find('/');
  const auto index = parse_integer(text.substr(0, slash));
  const auto count = slash == std::string_view::npos ? std::nullopt : parse_integer(text.substr(slash + 1));
  if (!index || !count || *count < 1 || *index < 1 || *index > *count || *count > 1'000'000)
    throw InputError(
        {}, fmt::format("--shard: '{}' is no part of a sweep; write 3/20 for the third of twenty", shown(text)));
  return {static_cast<std::uint64_t>(*index), static_cast<std::uint64_t>(*count)};
}

std::vector<InputFile> Sweep::read_inputs() {
  const ReadLog log;
  check_axes(study_.base, space_, cache_);  // reads each value of each axis, and so every file that a point reads
  std::vector<InputFile> out;
  for (const auto& path : log.paths()) out.push_back(input_file(path));
  return out;
}

void Sweep::find_warnings() {
  // The workload of the first point, and of each other value of the axes that change it.
  std::vector<std::uint64_t> points = {0};
  std::uint64_t stride = 1;
  for (auto axis = space_.axes().rbegin(); axis != space_.axes().rend(); stride *= axis->values.size(), ++axis)
    for (std::size_t v = 1; axis->path.starts_with("workload") && v < axis->values.size(); ++v)
      points.push_back(v * stride);
  for (const std::uint64_t point : points) {
    try {
      const Scenario s = resolve_scenario(space_.document(study_.base, point), {}, cache_);
      for (const auto& warning : s.warnings)
        if (std::find(warnings_.begin(), warnings_.end(), warning) == warnings_.end()) warnings_.push_back(warning);
    } catch (const InfeasibleError&) {
      // This point does not fit its GPUs; others may.
    } catch (const InputError&) {
      // Values that do not go together; each of them goes with others.
    }
  }
}

Sweep::Sweep(Study study, std::string engine) : study_(std::move(study)), space_(study_.axes) {
  cache_.many_points = true;
  Digest digest;
  digest.add(engine);
  digest.add(flow_text(study_.base.root()));
  for (const auto& axis : space_.axes()) {
    digest.add(axis.path);
    for (const auto& value : axis.values) digest.add(value.text);
  }
  inputs_ = read_inputs();
  // By their place, not their path: the same sweep may go on from another folder.
  for (const auto& file : inputs_) digest.add(file.digest);
  digest_ = digest.text();
  // The scenario's values count, its comments do not; a journal names the file all the same.
  if (study_.base.file() != study_.file) scenario_ = input_file(study_.base.file());
  find_warnings();
}

void Sweep::check_inputs() const {
  Problems problems;
  for (const auto& file : inputs_)
    if (!unchanged(file))
      problems.add({file.path}, "changed while the sweep ran: what is done may be of either version; sweep again into "
                                "a new folder");
  problems.throw_if_any();
}

std::string Sweep::record(std::uint64_t point) const {
  Json rows = Json::array();
  try {
    const Scenario scenario = resolve_scenario(space_.document(study_.base, point), {}, cache_);
    const std::vector<LatencyLimit> slo = limits_of(scenario, study_);
    auto run = scenario.runs.begin();
    auto unfit = scenario.unfit.begin();
    while (run != scenario.runs.end() || unfit != scenario.unfit.end()) {  // in the order of the scenario
      if (unfit != scenario.unfit.end() && unfit->entry == rows.size()) {
        rows.push_back(row_without_run("infeasible", unfit->reason, unfit->name));
        ++unfit;
      } else {
        rows.push_back(row_of(simulate(*run++, {}), slo));
      }
    }
  } catch (const InfeasibleError& error) {
    rows.push_back(row_without_run("infeasible", error.what()));
  } catch (const InputError& error) { rows.push_back(row_without_run("refused", error.problems().front().message)); }
  return Json{{"point", point}, {"rows", std::move(rows)}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> Sweep::columns() const {
  std::vector<std::string> out = {"point"};
  for (const auto& axis : space_.axes()) out.push_back(axis.path);
  out.insert(out.end(), {"manager", "status"});
  for (const auto& c : run_columns) out.emplace_back(c.name);
  out.emplace_back("slo_met");
  out.emplace_back("note");
  return out;
}

void Sweep::check_record(std::string_view record, const std::string& journal, int line) const {
  const Json json = parse_json(record, journal, "a record of a sweep", line);
  Problems problems;
  const JsonReader in(json, journal, problems, line);
  (void)in["point"].integer(0, static_cast<std::int64_t>(space_.size()) - 1);
  for (const JsonReader& row : in["rows"].items()) {
    if (row.raw().size() != row_size) row.problem(fmt::format("must be a list of {} values", row_size));
    (void)row[0].text();
    (void)row[1].text();
    for (std::size_t i = 2; i + 2 < row_size && problems.empty(); ++i)
      if (!row[i].raw().is_null()) (void)row[i].number(0, std::numeric_limits<double>::max());
    if (!row[row_size - 2].raw().is_null()) (void)row[row_size - 2].flag();
    (void)row[row_size - 1].text();
  }
  problems.throw_if_any();
}

std::string Sweep::csv_rows(std::string_view record) const {
  const Json json = parsed(record);
  const auto point = json["point"].get<std::uint64_t>();
  if (point >= space_.size()) throw InputError({}, fmt::format("point {} is not in the space", point));
  std::string lead = fmt::format("{}", point);
  for (const auto* value : space_.at(point)) lead += "," + cell(value->text);
  std::string out;
  for (const auto& row : json["rows"]) {
    if (!row.is_array() || row.size() != row_size) throw InputError({}, "a record with other columns");
    out += lead;
    for (const auto& value : row) out += "," + cell(value);
    out += '\n';
  }
  return out;
}

std::optional<std::string> nobody_served(const std::vector<std::string>& records) {
  std::optional<std::string> first;
  for (const auto& record : records) {
    const Json json = parsed(record);
    for (const Json& row : json["rows"]) {
      if (row.at(1) == "ok") return std::nullopt;
      if (!first) first = fmt::format("{}: {}", row.at(1).get<std::string>(), row.back().get<std::string>());
    }
  }
  return first;
}

std::uint64_t record_point(std::string_view record) {
  constexpr std::string_view head = "{\"point\":";
  const auto end = record.find(',');
  if (record.starts_with(head) && end != std::string_view::npos)
    if (const auto n = parse_integer(record.substr(head.size(), end - head.size())); n && *n >= 0)
      return static_cast<std::uint64_t>(*n);
  throw InputError({}, fmt::format("'{}' is no record of a sweep", shown(record)));
}
}  // namespace stowage
