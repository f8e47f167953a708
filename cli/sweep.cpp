// stowage sweep STUDY: every point of a space, here or on a cluster, resumable at any byte.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "cli/about.hpp"
#include "cli/commands.hpp"
#include "cli/interrupt.hpp"
#include "cli/progress.hpp"
#include "cli/sweep_engines.hpp"
#include "planner/journal.hpp"
#include "planner/sweep_run.hpp"
#include "reports/folder.hpp"
#include "reports/text.hpp"

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
  for (const auto& column : sweep.columns()) columns += fmt::format("{}\"{}\"", columns.empty() ? "" : ", ", column);
  std::string out = fmt::format("{{\"schema\": \"stowage.sweep/1\", \"sweep\": \"{}\", \"points\": {},\n",
                                sweep.digest(), sweep.space().size());
  out += fmt::format(" \"columns\": [{}],\n \"records\": [", columns);
  for (std::size_t i = 0; i < records.size(); ++i) out += (i == 0 ? "\n" : ",\n") + records[i];
  return out + "]}\n";
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path part = path.string() + ".part";
  {
    OutputFile file(part);
    file.write(text);
    file.close();
  }
  std::error_code error;
  std::filesystem::rename(part, path, error);
  if (error) throw EnvironmentError(fmt::format("cannot write '{}': {}", path.string(), error.message()));
}

std::string points_text(std::uint64_t n) { return text::plural(n, "point"); }

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
  write_file(path, csv(sweep, merged.records));
  outcome.text = options.json ? json(sweep, merged.records)
                              : fmt::format("{} of {}, put together from {}: {}\n", text::count(size),
                                            points_text(size), text::plural(merged.journals, "journal"), path.string());
  return outcome;
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
  try {
    run_points(sweep, shard, done, options.jobs, keep, [] { check_interrupted(); });
  } catch (const Interrupted& interrupted) {
    if (!journal) throw;
    return {.code = 128 + interrupted.signal,
            .complaints = {"stowage: interrupted; what is done is kept, and the same command goes on from there"}};
  }
  if (!journal) return {.text = options.json ? json(sweep, records) : csv(sweep, records)};
  journal->sync();
  const std::string mended = journal->mended();
  journal.reset();
  Outcome outcome;
  if (shard.whole()) {
    outcome = merge(sweep, options);
  } else if (!options.quiet) {
    outcome.text = fmt::format(
        "part {} of the sweep is done: {} simulated; when all parts are, the same command with "
        "--merge instead of --shard puts them together\n",
        options.shard, points_text(left));
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
  const auto seed = options.seed ? std::optional(static_cast<std::uint64_t>(*options.seed)) : std::nullopt;
  const Sweep sweep(load_study(file, options.set, options.vary, seed), version());
  if (options.merge) return merge(sweep, options);
  if (options.engine == "local") return sweep_here(sweep, options);
  run_engine(sweep, options);
  return merge(sweep, options);
}
}  // namespace stowage::cli
