// stowage sweep STUDY: every point of a space, here or on a cluster, resumable at any byte.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "cli/about.hpp"
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/interrupt.hpp"
#include "cli/progress.hpp"
#include "cli/sweep_engines.hpp"
#include "cli/sweep_text.hpp"
#include "planner/journal.hpp"
#include "planner/sweep_run.hpp"
#include "planner/sweep_summary.hpp"
#include "reports/folder.hpp"
#include "reports/html.hpp"
#include "reports/output_file.hpp"
#include "reports/saved.hpp"
#include "reports/text.hpp"
#include "sim/kv/registry.hpp"

namespace stowage::cli {
namespace {
std::string csv(const Sweep& sweep, const std::vector<std::string>& records) {
  std::string out = fmt::format("{}\n", fmt::join(sweep.columns(), ","));
  for (const auto& record : records) out += sweep.csv_rows(record);
  return out;
}

/// All records as one document.
std::string json(const Sweep& sweep, const std::vector<std::string>& records) {
  std::string columns;
  for (const auto& column : sweep.columns())
    columns += (columns.empty() ? "" : ", ") +
               nlohmann::json(column).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string out = fmt::format("{{\"schema\": \"stowage.sweep/1\", \"sweep\": \"{}\", \"points\": {},\n",
                                sweep.digest(), sweep.space().size());
  out += fmt::format(" \"columns\": [{}],\n \"records\": [", columns);
  for (std::size_t i = 0; i < records.size(); ++i) out += (i == 0 ? "\n" : ",\n") + records[i];
  return out + "]}\n";
}

/// All records as --format asks; as CSV where that is text.
std::string shown(const Sweep& sweep, const std::vector<std::string>& records, const Options& options) {
  if (options.json) return json(sweep, records);
  if (options.format != "markdown") return csv(sweep, records);
  return sweep_markdown(nlohmann::ordered_json::parse(sweep_summary(sweep, records, {})), sweep.study().name);
}

/// The page: of all records, with the model, hardware and workload of the first point that can be. The badge is of the
/// weakest evidence along the axes that change what steps cost.
ReportInput describe_sweep(const Sweep& sweep, const std::vector<std::string>& records, const Options& options) {
  ReportInput input;
  std::map<std::string, std::string> deployable;
  const Space& space = sweep.space();
  std::vector<std::uint64_t> looked_at = {0};
  std::uint64_t stride = 1;
  for (auto axis = space.axes().rbegin(); axis != space.axes().rend(); stride *= axis->values.size(), ++axis) {
    const bool priced = axis->path.starts_with("hardware") || axis->path.starts_with("model") ||
                        axis->path.starts_with("cluster") || axis->path.starts_with("cost") ||
                        axis->path.starts_with("managers");
    for (std::size_t v = 1; priced && v < axis->values.size() && looked_at.size() < 64; ++v)
      looked_at.push_back(v * stride);
  }
  ScenarioCache cache;
  for (const std::uint64_t point : looked_at) {
    try {
      const Scenario scenario = resolve_scenario(space.document(sweep.study().base, point), {}, cache);
      for (const RunConfig& run : scenario.runs)
        deployable.emplace(run.manager.name, find_manager(run.manager.kind)->deployable);
      ReportInput here = describe(scenario, options, {}, input.version.empty());
      if (input.version.empty())
        input = std::move(here);
      else
        input.evidence = std::max(input.evidence, here.evidence);
    } catch (const InfeasibleError&) {
      // The page says so of its row; another point speaks for the sweep.
    } catch (const InputError&) {}
  }
  if (input.version.empty()) input.version = "stowage " + version(), input.command = options.command_line;
  input.title = sweep.study().name;
  input.kind = "sweep";
  input.data = nlohmann::ordered_json::parse(sweep_summary(sweep, records, deployable));
  input.budget.clear();
  input.kv_line.clear();
  return input;
}

std::string points_text(std::uint64_t n) { return text::plural(n, "point"); }

/// A sweep of which no run serves anybody has no result to speak of.
void complain_if_nobody_served(const std::vector<std::string>& records, Outcome& outcome) {
  const auto why = nobody_served(records);
  if (!why) return;
  outcome.code = infeasible;
  outcome.complaints.push_back("stowage: error: no run of the sweep serves any request; the first: " +
                               text::printable(*why));
}

/// Holes are a partial sweep (5), contradictions a failure (1); only a whole sweep gets its table.
Outcome merge(const Sweep& sweep, const Options& options) {
  const Merged merged = merge_journals(options.output, sweep);
  Outcome outcome;
  outcome.complaints = merged.notes;
  if (!merged.contradictions.empty()) {
    outcome.code = failed;
    for (std::size_t i = 0; i < merged.contradictions.size() && i < 10; ++i)
      outcome.complaints.push_back("stowage: error: " + merged.contradictions[i]);
    outcome.complaints.push_back(
        fmt::format("stowage: error: {} with records that contradict each other: sweep again in an empty folder",
                    points_text(merged.contradictions.size())));
    return outcome;
  }
  const std::uint64_t size = sweep.space().size();
  if (!merged.holes.empty()) {
    outcome.code = partial;
    outcome.complaints.push_back(
        fmt::format("stowage: partial sweep: {} of {} are missing: {}; run it again with the "
                    "same -o to fill them",
                    text::count(merged.holes.size()), points_text(size), ranges_text(merged.holes)));
    return outcome;
  }
  const auto path = std::filesystem::path(options.output) / "sweep.csv";
  ResultFolder folder(options.output, Into::ours);
  folder.write("sweep.csv", csv(sweep, merged.records));
  const ReportInput input = describe_sweep(sweep, merged.records, options);
  folder.write("report.json", to_saved(input));
  folder.write("report.html", to_html(input));
  folder.commit();
  if (options.json || !options.format.empty())
    outcome.text = shown(sweep, merged.records, options);
  else
    outcome.text = sweep_text(input.data) + fmt::format("{} of {}, put together from {}: {}\n", text::count(size),
                                                        points_text(size), text::plural(merged.journals, "journal"),
                                                        path.string());
  complain_if_nobody_served(merged.records, outcome);
  return outcome;
}

/// A sweep writes over the pages of its folder, so that those of another command must not lie there.
void refuse_other_results(const std::string& folder) {
  for (const char* name : {"summary.json", "plan.json", "compare.json"})
    if (std::filesystem::exists(std::filesystem::path(folder) / name))
      throw InputError({folder}, fmt::format("the folder holds '{}' of another command; a sweep needs one of its own: "
                                             "name another",
                                             name));
}

Outcome sweep_here(const Sweep& sweep, const Options& options) {
  const Shard shard = options.shard.empty() ? Shard{} : parse_shard(options.shard);
  std::optional<Journal> journal;
  std::vector<std::uint64_t> done;
  if (!options.output.empty()) {
    journal.emplace(options.output, sweep, shard);
    done = done_elsewhere(options.output, sweep, shard);
    done.insert(done.end(), journal->done().begin(), journal->done().end());
    std::sort(done.begin(), done.end());
  }
  const std::uint64_t left = points_left(sweep, shard, done);
  PointProgress progress(left, options.quiet);
  std::vector<std::string> records(journal ? 0 : sweep.space().size());
  const auto keep = [&](std::uint64_t point, std::string record) {
    if (journal)
      journal->append(record);
    else
      records[point] = std::move(record);
    progress.one_done();
  };
  if (journal) when_interrupted_say("interrupted; what is done is kept, and the same command goes on from there");
  run_points(sweep, shard, done, options.jobs, keep);
  sweep.check_inputs();
  if (!journal) {
    Outcome outcome{.text = shown(sweep, records, options)};
    complain_if_nobody_served(records, outcome);
    return outcome;
  }
  journal->sync();
  const std::string mended = journal->mended(), path = journal->path();
  journal.reset();
  if (const auto text = journal_in_order(path)) {
    WholeFile in_order(path, true);
    in_order.file().write(*text);
    in_order.commit();
  }
  Outcome outcome;
  if (shard.whole()) {
    outcome = merge(sweep, options);
  } else if (!options.quiet) {
    std::string done_text = fmt::format(
        "part {} of the sweep is done: {} simulated; when all parts are, the same command with "
        "--merge instead of --shard puts them together",
        options.shard, points_text(left));
    // Whoever reads JSON or a table is not told in words: a part has neither.
    if (options.json || !options.format.empty())
      outcome.complaints.push_back("stowage: " + done_text);
    else
      outcome.text = done_text + "\n";
  }
  if (!mended.empty()) outcome.complaints.insert(outcome.complaints.begin(), "stowage: mended: " + mended);
  return outcome;
}
}  // namespace

Outcome sweep_command(const Options& options) {
  const std::string& file = options.inputs.front();
  if (options.output.empty() && (!options.shard.empty() || options.merge || options.engine != "local"))
    throw InputError({}, "a part of a sweep, a merge and an engine beyond this process need a folder: add -o DIR");
  if (!options.shard.empty() && (options.merge || options.engine != "local"))
    throw InputError({}, "--shard is one part, --merge and --engine are about all of them; leave one out");
  if (!options.output.empty()) refuse_other_results(options.output);
  const auto seed = options.seed ? std::optional(static_cast<std::uint64_t>(*options.seed)) : std::nullopt;
  const Sweep sweep(load_study(file, options.set, options.vary, seed), version());
  Outcome outcome;
  if (!options.merge && options.engine == "local") {
    outcome = sweep_here(sweep, options);
  } else {
    if (!options.merge) run_engine(sweep, options);
    outcome = merge(sweep, options);
  }
  warn(sweep.warnings(), file, outcome);
  return outcome;
}
}  // namespace stowage::cli
