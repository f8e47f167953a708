// stowage compare A B: two results side by side; what differs in what was asked, then in what came out.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_reader.hpp"
#include "base/read_file.hpp"
#include "cli/about.hpp"
#include "cli/commands.hpp"
#include "cli/compare_requests.hpp"
#include "cli/compare_text.hpp"
#include "reports/folder.hpp"
#include "reports/folder_moves.hpp"
#include "reports/saved.hpp"
#include "reports/text.hpp"

namespace stowage::cli {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Metric {
  std::string_view label, path;
  enum { count, rate, time, share } unit;
  int better;  // +1 = more, -1 = less, 0 = neither
};
constexpr Metric metrics[] = {
    {"requests completed", "/requests/completed", Metric::count, 0},
    {"rejected", "/requests/rejected", Metric::count, -1},
    {"preemptions", "/requests/preemptions", Metric::count, -1},
    {"requests/s", "/throughput/requests_per_s", Metric::rate, 1},
    {"output tokens/s", "/throughput/output_tokens_per_s", Metric::rate, 1},
    {"makespan", "/makespan_s", Metric::time, -1},
    {"TTFT p50", "/ttft_s/p50", Metric::time, -1},
    {"TTFT p99", "/ttft_s/p99", Metric::time, -1},
    {"TBT p50", "/tbt_s/p50", Metric::time, -1},
    {"TBT p99", "/tbt_s/p99", Metric::time, -1},
    {"TPOT p99", "/tpot_s/p99", Metric::time, -1},
    {"E2E p50", "/e2e_s/p50", Metric::time, -1},
    {"E2E p99", "/e2e_s/p99", Metric::time, -1},
    {"queueing p99", "/queue_s/p99", Metric::time, -1},
    {"running, mean", "/batch/mean", Metric::rate, 0},
    {"KV live", "/kv/mean_fraction/live", Metric::share, 0},
    {"KV lost: reserved", "/kv/mean_fraction/reserved", Metric::share, -1},
    {"KV lost: internal", "/kv/mean_fraction/internal", Metric::share, -1},
    {"KV lost: external", "/kv/mean_fraction/external", Metric::share, -1},
    {"mapping stall", "/vmm/stall_s", Metric::time, -1},
};

constexpr std::array<std::string_view, 4> unit_names = {"count", "rate", "time", "share"};

struct Result {
  std::string file;
  Json json;
  std::map<std::string, RequestValues> requests;
  std::optional<ReportInput> page;  // of a folder that holds what a page is made of
};

std::optional<ReportInput> load_page(const fs::path& folder) {
  const fs::path path = result_path(folder, "report.json");
  if (std::error_code ignored; !fs::exists(path, ignored)) return {};
  ReportInput input = from_saved(read_file(path.string(), whole_bytes_max), (folder / "report.json").string());
  if (input.kind != "run") return {};  // of another command, written there since
  return input;
}

/// What is read of a run: its names, and of each figure a number or nothing.
void check_run(const JsonReader& run) {
  (void)run["name"].text();
  (void)run["requests"].entries();
  if (const JsonReader slo = run.find("slo")) (void)slo.find("met").flag();
  for (const Metric& m : metrics) {
    const Json::json_pointer pointer{std::string(m.path)};
    // A figure that was not measured is null; one that is not there belongs to no result of ours.
    if (!run.raw().contains(pointer)) run.problem(fmt::format("no '{}'", m.path.substr(1)));
    JsonReader value = run;
    for (std::string_view rest = m.path.substr(1); !rest.empty();) {
      const auto slash = std::min(rest.find('/'), rest.size());
      value = value.find(rest.substr(0, slash));
      rest.remove_prefix(std::min(slash + 1, rest.size()));
    }
    if (value) (void)value.number(0, m.unit == Metric::share ? 1 + 1e-9 : 1e18);
  }
}

/// requests.csv has a row for every request that the summary says was served, and none ends after the run.
void check_rows(const Result& result, const fs::path& folder) {
  if (result.requests.empty()) return;
  for (const Json& run : result.json["runs"]) {
    const std::string name = run.value("name", "");
    const auto rows = result.requests.find(name);
    const std::int64_t held = rows == result.requests.end() ? 0 : rows->second.rows;
    const double served = run.value(Json::json_pointer("/requests/completed"), 0.0);
    if (served != static_cast<double>(held))
      throw InputError({(folder / "requests.csv").string()},
                       fmt::format("it holds {} of '{}', but summary.json says that {:.0f} were served; run it again",
                                   text::plural(static_cast<std::uint64_t>(held), "request"), shown(name), served));
    const double makespan = run.value(Json::json_pointer("/makespan_s"), Json(0.0)).is_number()
                                ? run.value(Json::json_pointer("/makespan_s"), 0.0)
                                : 0.0;
    if (held > 0 && rows->second.last_s - rows->second.first_s > makespan * (1 + 1e-9) + 1e-6)
      throw InputError({(folder / "requests.csv").string()},
                       fmt::format("a request of '{}' ends {:.6g} s after the first came, but summary.json says that "
                                   "the run took {:.6g} s; run it again",
                                   shown(name), rows->second.last_s - rows->second.first_s, makespan));
  }
}

Result load_once(const std::string& given, bool with_page) {
  std::error_code ignored;
  const bool is_folder = fs::is_directory(given, ignored);
  const fs::path named = is_folder ? fs::path(given) / "summary.json" : fs::path(given);
  const fs::path path = result_path(named.parent_path(), named.filename());
  const std::string file = named.string();
  if (!fs::exists(path, ignored)) {
    throw InputError({file}, is_folder
                                 ? "the folder holds no summary.json; give a result folder of 'stowage run -o'"
                                 : "there is no such result; give a folder of 'stowage run -o' or its "
                                   "summary.json");
  }
  Result out{file, parse_json(read_file(path.string(), whole_bytes_max), file, "a result of stowage"),
             named.filename() == "summary.json" ? read_requests(named.parent_path())
                                                : std::map<std::string, RequestValues>(),
             with_page && is_folder ? load_page(named.parent_path()) : std::nullopt};
  Problems problems;
  const JsonReader in(out.json, file, problems);
  const std::string schema = in.is_object() && in.find("schema").is_text() ? in["schema"].text() : "";
  if (schema != "stowage.result/1")
    throw InputError({file}, schema.empty() ? "not a result of stowage"
                                            : fmt::format("'{}' cannot be compared; only results of "
                                                          "'stowage run' can",
                                                          shown(schema)));
  (void)in["scenario"].entries();
  for (const JsonReader& run : in["runs"].items()) check_run(run);
  problems.throw_if_any();
  check_rows(out, named.parent_path());
  return out;
}

/// All of one result, though another command may replace it meanwhile.
Result load(const std::string& given, bool with_page) {
  const fs::path folder = fs::is_directory(given) ? fs::path(given) : fs::path(given).parent_path();
  return read_unchanged(folder, [&] { return load_once(given, with_page); });
}

/// Every leaf of the scenario by its path.
std::map<std::string, std::string> leaves(const Json& json) {
  std::map<std::string, std::string> out;
  const Json flat = json.flatten();
  for (const auto& [path, value] : flat.items()) out[path] = value.dump();
  return out;
}

/// [{key, a, b}]: null where one has no such key.
Json asked_differently(const Result& a, const Result& b) {
  const auto left = leaves(a.json.value("scenario", Json::object()));
  const auto right = leaves(b.json.value("scenario", Json::object()));
  Json out = Json::array();
  for (const auto& [path, value] : left) {
    const auto other = right.find(path);
    if (other == right.end() || other->second != value)
      out.push_back({{"key", path.substr(1)}, {"a", value}, {"b", other == right.end() ? "-" : other->second}});
  }
  for (const auto& [path, value] : right)
    if (!left.contains(path)) out.push_back({{"key", path.substr(1)}, {"a", "-"}, {"b", value}});
  return out;
}

double number_at(const Json& run, std::string_view path) {
  const Json::json_pointer pointer{std::string(path)};
  return run.contains(pointer) && run.at(pointer).is_number() ? run.at(pointer).get<double>() : std::nan("");
}

std::string slo_word(const Json& run) {
  const auto met = run.value(Json::json_pointer("/slo/met"), Json());
  return met.is_null() ? "-" : met.get<bool>() ? "PASS" : "FAIL";
}

/// Runs by their manager's name; when none has the same name, in order.
std::vector<std::pair<const Json*, const Json*>> pairs_of(const Result& a, const Result& b) {
  std::vector<std::pair<const Json*, const Json*>> out;
  for (const auto& left : a.json["runs"])
    for (const auto& right : b.json["runs"])
      if (left.value("name", "") == right.value("name", "?")) out.emplace_back(&left, &right);
  if (out.empty())
    for (std::size_t i = 0; i < std::min(a.json["runs"].size(), b.json["runs"].size()); ++i)
      out.emplace_back(&a.json["runs"][i], &b.json["runs"][i]);
  return out;
}
const RequestValues* requests_of(const Result& r, const std::string& name) {
  const auto at = r.requests.find(name);
  return at == r.requests.end() ? nullptr : &at->second;
}

/// What the intervals are of; empty without any.
std::string basis_of(const RequestValues* a, const RequestValues* b) {
  if (a == nullptr || b == nullptr || std::min(a->ids.size(), b->ids.size()) < 100) return "";
  const auto cut = [](const RequestValues& r) { return r.ids.size() == compared_requests_max ? "the first " : ""; };
  return same_requests(*a, *b)
             ? fmt::format("Intervals of {}{}, pair by pair.", cut(*a), text::plural(a->ids.size(), "request"))
             : fmt::format("Intervals of {}{} of A and {}{} of B, which are not the same.", cut(*a),
                           text::plural(a->ids.size(), "request"), cut(*b), text::plural(b->ids.size(), "request"));
}

/// Both folders on one page where they hold what a page is made of; else their figures alone.
ReportInput describe_comparison(const Options& options, const Json& json, Result& a, Result& b) {
  ReportInput input;
  if (a.page && b.page) {
    input = combine({{options.inputs[0], std::move(*a.page)}, {options.inputs[1], std::move(*b.page)}},
                    options.command_line);
    pair_up(input);
  }
  input.kind = "compare";
  input.data = json;
  input.version = "stowage " + version();
  input.command = options.command_line;
  if (input.title.empty()) input.title = options.inputs[0] + " and " + options.inputs[1];
  return input;
}
}  // namespace

Outcome compare_command(const Options& options) {
  if (options.inputs.size() != 2) throw InputError({}, "compare takes two results; write: stowage compare A B");
  std::optional<ResultFolder> folder;
  if (!options.output.empty()) folder.emplace(options.output, options.force);
  Result a = load(options.inputs[0], folder.has_value()), b = load(options.inputs[1], folder.has_value());
  const auto pairs = pairs_of(a, b);
  Outcome outcome;
  Json json = {{"schema", "stowage.compare/1"},
               {"a", a.file},
               {"b", b.file},
               {"asked", asked_differently(a, b)},
               {"runs", Json::array()}};
  for (const auto& [left, right] : pairs) {
    const std::string name_a = left->value("name", "A"), name_b = right->value("name", "B");
    const RequestValues *served_a = requests_of(a, name_a), *served_b = requests_of(b, name_b);
    const std::string basis = basis_of(served_a, served_b);
    Json values = {{"a", name_a}, {"b", name_b}, {"slo_a", slo_word(*left)}, {"slo_b", slo_word(*right)}};
    if (!basis.empty()) values["basis"] = basis;
    values["metrics"] = Json::object();
    values["table"] = Json::array();
    for (const Metric& m : metrics) {
      const double x = number_at(*left, m.path), y = number_at(*right, m.path);
      if (std::isnan(x) && std::isnan(y)) continue;
      const std::string_view path = m.path.substr(1);
      values["metrics"][std::string(path)] = {x, y};
      Json row = {{"label", m.label}, {"metric", path}, {"unit", unit_names[m.unit]}, {"better", m.better},
                  {"a", x},           {"b", y}};
      const bool both = !std::isnan(x) && !std::isnan(y);
      const auto interval = basis.empty() || !both ? std::nullopt : metric_difference(*served_a, *served_b, path);
      if (interval) row["difference"] = interval->value, row["low"] = interval->low, row["high"] = interval->high;
      values["table"].push_back(std::move(row));
    }
    json["runs"].push_back(std::move(values));
  }
  for (const auto& run : b.json["runs"]) {
    if (!options.assert_slo || slo_word(run) == "PASS") continue;
    outcome.code = slo_not_met;
    outcome.complaints.push_back(fmt::format("stowage: SLO not met: {}: {}", b.file,
                                             slo_word(run) == "-" ? "its scenario has no slo" : run.value("name", "")));
  }
  if (folder) {
    folder->write("compare.json", json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    write_page(*folder, describe_comparison(options, json, a, b));
    folder->commit();
  }
  outcome.text = options.json                   ? json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                 : options.format == "csv"      ? compare_csv(json)
                 : options.format == "markdown" ? compare_markdown(json)
                                                : compare_text(json);
  return outcome;
}
}  // namespace stowage::cli
