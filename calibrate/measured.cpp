#include "calibrate/measured.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/csv_table.hpp"
#include "base/json_reader.hpp"
#include "base/ranges.hpp"
#include "calibrate/measured_keys.hpp"
#include "calibrate/probe_file.hpp"
#include "traces/file_bytes.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;
using namespace measured_keys;

constexpr std::string_view schema = "stowage.measured/1";

constexpr const char* whole = "what gpu_probe replay wrote";

/// Every number below by its path: counts, bytes, times, shares.
void flatten(const JsonReader& node, const std::string& path, std::map<std::string, double>& out) {
  for (const auto& [key, value] : node.entries()) {
    if (value.raw().is_null()) continue;
    if (value.is_object())
      flatten(value, path + "." + key, out);
    else
      out[path + "." + key] = value.number(0, 1e18);
  }
}

/// A run of `stowage run --format json`.
std::map<std::string, double> result_numbers(const JsonReader& result) {
  Names known = not_read;
  for (const auto& [key, names] : of_result) known.push_back(key);
  result.only(known);
  std::map<std::string, double> out;
  for (const auto& [key, value] : result.entries()) {
    const auto row = of_result.find(key);
    if (row == of_result.end() || value.raw().is_null()) continue;
    if (row->second.empty()) {
      out[key] = value.number(0, 1e18);
      continue;
    }
    value.only(row->second);
    value.find("mean_fraction").only(part_names);
    flatten(value, key, out);
  }
  return out;
}

std::vector<MeasuredIteration::Chunk> chunks_of(const CsvTable& row) {
  std::string_view text = row.text("chunks");
  std::vector<MeasuredIteration::Chunk> out;
  while (!text.empty()) {
    const auto space = text.find(' ');
    const std::string_view one = text.substr(0, space);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    MeasuredIteration::Chunk c;
    const auto at = one.find('@');
    const char* end = one.data() + one.size();
    const bool ok = at != std::string_view::npos &&
                    std::from_chars(one.data(), one.data() + at, c.count).ptr == one.data() + at &&
                    std::from_chars(one.data() + at + 1, end, c.stored).ptr == end && c.count > 0 && c.stored >= 0 &&
                    c.count <= tokens_max && c.stored <= tokens_max;
    if (!ok) row.fail("chunks", fmt::format("'{}' is not count@stored", shown(one)));
    out.push_back(c);
  }
  return out;
}

MeasuredPass& pass_of(MeasuredFile& file, const CsvTable& row) {
  const std::string_view name = row.text("manager");
  const auto index = static_cast<std::size_t>(row.integer("pass", 0, count_max));
  for (MeasuredManager& m : file.managers)
    if (m.name == name && index < m.passes.size()) return m.passes[index];
  row.fail("pass", fmt::format("pass {} of '{}' is not in measured.json", index, shown(name)));
}

std::int64_t end_ns(const IterationRecord& r) { return r.start_ns + r.stall_ns + r.step_ns; }
std::int64_t pool_bytes(const IterationRecord& r) {
  return r.held_bytes + r.cached_bytes + r.external_bytes + r.free_bytes;
}

/// What holds of any iteration, beside the others of its pass.
void check_iteration(const CsvTable& row, const MeasuredIteration& i, const MeasuredPass& pass) {
  const IterationRecord& r = i.record;
  if (r.decode_seqs + static_cast<std::int64_t>(i.chunks.size()) > r.running)
    row.fail("running", "fewer requests than were computed");
  if (r.decode_kv_tokens < r.decode_seqs) row.fail("decode_kv_tokens", "fewer than a token a decoding request");
  if (i.host_ns > r.step_ns) row.fail("host_ns", "more than the step took");
  if (i.gpu_ns > r.step_ns) row.fail("gpu_ns", "more than the step took");
  if (r.live_bytes > r.held_bytes) row.fail("live_bytes", "more than held_bytes");
  if (pass.iterations.empty()) return;
  const IterationRecord& last = pass.iterations.back().record;
  if (r.index <= last.index) row.fail("index", fmt::format("{} does not come after {}", r.index, last.index));
  if (r.start_ns < end_ns(last)) row.fail("start_ns", "before the end of the iteration before it");
  if (pool_bytes(r) != pool_bytes(last))
    row.fail("free_bytes", "held, cached, external and free no longer sum to the pool of the iteration before it");
}

/// What the files of one complete pass say three times: when it ended, and how many requests it served.
void check_pass(const MeasuredFile& file, const std::string& requests_path, const MeasuredPass& pass) {
  const auto refuse = [](const std::string& path, int line, const std::string& what) {
    throw InputError({path, line, 0}, fmt::format("{}; it should be {}", what, whole));
  };
  if (pass.iterations.empty() || pass.requests.empty())
    refuse(pass.iterations.empty() ? file.iterations_path : requests_path, 0, "a complete pass has no row");
  std::int64_t first = pass.requests.front().arrival_ns, last = 0;
  for (const RequestRecord& r : pass.requests) {
    first = std::min(first, r.arrival_ns);
    last = std::max(last, r.finished_ns);
  }
  const MeasuredIteration& end = pass.iterations.back();
  if (end_ns(end.record) != last)
    refuse(file.iterations_path, end.line,
           fmt::format("step_ns: the last iteration ends at {} ns, the last request at {} ns", end_ns(end.record),
                       last));
  const double seconds = static_cast<double>(last - first) / 1e9, makespan = pass.numbers.at("makespan_s");
  if (std::abs(seconds - makespan) > 1e-6 * makespan)
    refuse(file.path, 0, fmt::format("makespan_s of a pass is {}, and its iterations took {} s", makespan, seconds));
  const auto completed = pass.numbers.find("requests.completed");
  if (completed != pass.numbers.end() && completed->second != static_cast<double>(pass.requests.size()))
    refuse(requests_path, 0,
           fmt::format("{} rows of a pass that completed {} requests", pass.requests.size(), completed->second));
}

void read_iterations(MeasuredFile& file, const std::string& path) {
  const FileBytes bytes(path);
  LineReader lines(bytes.view(), path);
  CsvTable t(lines,
             {"manager", "pass", "index", "start_ns", "stall_ns", "step_ns", "prefill_tokens", "decode_seqs",
              "decode_kv_tokens", "running", "waiting", "live_bytes", "held_bytes", "cached_bytes", "external_bytes",
              "free_bytes", "chunks", "host_ns", "gpu_ns"},
             whole);
  const auto nanos = [&](const char* column) { return t.integer(column, 0, time_ns_max); };
  const auto count = [&](const char* column) { return t.integer(column, 0, count_max); };
  const auto size = [&](const char* column) { return t.integer(column, 0, bytes_max); };
  while (t.next()) {
    MeasuredIteration i;
    IterationRecord& r = i.record;
    r.index = static_cast<std::uint64_t>(count("index"));
    r.start_ns = nanos("start_ns");
    r.stall_ns = nanos("stall_ns");
    r.step_ns = t.integer("step_ns", 1, time_ns_max);
    r.prefill_tokens = t.integer("prefill_tokens", 0, tokens_max);
    r.decode_seqs = t.integer("decode_seqs", 0, tokens_max);
    r.decode_kv_tokens = count("decode_kv_tokens");
    r.running = t.integer("running", 0, tokens_max);
    r.waiting = count("waiting");
    r.live_bytes = size("live_bytes");
    r.held_bytes = size("held_bytes");
    r.cached_bytes = size("cached_bytes");
    r.external_bytes = size("external_bytes");
    r.free_bytes = size("free_bytes");
    i.gpu_ns = nanos("gpu_ns");
    i.host_ns = nanos("host_ns");
    i.line = t.line();
    if (r.prefill_tokens + r.decode_seqs == 0) t.fail("prefill_tokens", "an iteration that computed nothing");
    i.chunks = chunks_of(t);
    std::int64_t tokens = 0;
    for (const auto& c : i.chunks) tokens += c.count;
    if (tokens != r.prefill_tokens) t.fail("chunks", "they are not the prefill tokens");
    MeasuredPass& pass = pass_of(file, t);
    check_iteration(t, i, pass);
    pass.iterations.push_back(std::move(i));
  }
}

void read_requests(MeasuredFile& file, const std::string& path) {
  const FileBytes bytes(path);
  LineReader lines(bytes.view(), path);
  CsvTable t(lines,
             {"manager", "pass", "id", "arrival_ns", "prompt_tokens", "output_tokens", "preemptions", "queue_ns",
              "ttft_ns", "e2e_ns"},
             whole);
  std::map<const MeasuredPass*, std::unordered_set<std::uint64_t>> ids;
  while (t.next()) {
    RequestRecord r;
    r.id = static_cast<std::uint64_t>(t.integer("id", 0, count_max));
    r.arrival_ns = t.integer("arrival_ns", 0, time_ns_max);
    r.prompt_tokens = static_cast<std::int32_t>(t.integer("prompt_tokens", 1, tokens_max));
    r.output_tokens = static_cast<std::int32_t>(t.integer("output_tokens", 1, tokens_max));
    r.preemptions = static_cast<std::int32_t>(t.integer("preemptions", 0, tokens_max));
    const std::int64_t queue = t.integer("queue_ns", 0, time_ns_max), ttft = t.integer("ttft_ns", 0, time_ns_max),
                       e2e = t.integer("e2e_ns", 0, time_ns_max);
    if (ttft < queue) t.fail("ttft_ns", "the first token comes before the request was scheduled");
    if (e2e < ttft) t.fail("e2e_ns", "the request ends before its first token");
    r.first_scheduled_ns = r.arrival_ns + queue;
    r.first_token_ns = r.arrival_ns + ttft;
    r.finished_ns = r.arrival_ns + e2e;
    MeasuredPass& pass = pass_of(file, t);
    if (!ids[&pass].insert(r.id).second) t.fail("id", fmt::format("request {} of this pass is there twice", r.id));
    pass.requests.push_back(r);
  }
}

MeasuredPass read_pass(const JsonReader& in) {
  MeasuredPass pass;
  pass.state = in["state"].text();
  pass.status = in["status"].text();
  in.only(of_pass);
  in["driver"].only(of_driver);
  for (const auto& [regime, times] : in.find("step_us").entries()) times.only(of_times);
  in.find("step_us").only(of_regimes);
  in.find("host_us").only(of_times);
  in.find("gpu_at_end").only(of_gpu);
  pass.numbers = result_numbers(in.find("result"));
  if (pass.complete()) (void)in["result"]["makespan_s"].number(1e-9, time_s_max);
  pass.driver_maps = static_cast<std::uint64_t>(in["driver"]["map_calls"].integer(0, count_max));
  pass.driver_unmaps = static_cast<std::uint64_t>(in["driver"]["unmap_calls"].integer(0, count_max));
  return pass;
}
}  // namespace

MeasuredFile load_measured(const std::string& given) {
  MeasuredFile file;
  std::error_code ignored;
  file.path = fs::is_directory(given, ignored) ? (fs::path(given) / "measured.json").string() : given;
  if (!fs::exists(file.path, ignored))
    throw InputError({file.path, 0, 0}, "no such file; give the folder that gpu_probe replay wrote with -o");
  const auto json = parse_json(read_file(file.path, whole_bytes_max), file.path, whole);
  Problems problems;
  const JsonReader in(json, file.path, problems);
  if (!in.is_object() || !in.find("schema").is_text() || in["schema"].text() != schema)
    throw InputError({file.path, 0, 0}, fmt::format("not a measured run: its schema is not \"{}\"", schema));
  in.only(of_file);
  in["device"].only(of_device);
  in.find("host").only(of_host);
  in["files"].only(of_files);
  file.date = in["date"].text();
  file.gpu = in["device"]["name"].text();
  file.driver = in["device"]["driver"].text();
  file.model = in["model"].text();
  file.status = in["status"].text();
  file.layers = in["layers"].integer(1, tokens_max);
  file.model_layers = in["model_layers"].integer(1, tokens_max);
  file.scenario = in["scenario"].text();
  for (const JsonReader& note : in["notes"].items()) file.notes.push_back(note.text());
  file.canary = canary_times(in.find("canary"));
  for (const JsonReader& point : in.find("canary").items()) point.only(of_canary);
  for (const JsonReader& run : in["runs"].items()) {
    MeasuredManager& m = file.managers.emplace_back();
    m.name = run["name"].text();
    run.only(of_run);
    run.find("repeat").only(of_repeat);
    for (const JsonReader& pass : run["passes"].items()) m.passes.push_back(read_pass(pass));
  }
  const std::string iterations = in["files"]["iterations"].text(), requests = in["files"]["requests"].text();
  problems.throw_if_any();
  const fs::path folder = fs::path(file.path).parent_path();
  file.iterations_path = (folder / iterations).string();
  read_iterations(file, file.iterations_path);
  const std::string requests_path = (folder / requests).string();
  read_requests(file, requests_path);
  for (const MeasuredManager& m : file.managers)
    for (const MeasuredPass& pass : m.passes)
      if (pass.complete()) check_pass(file, requests_path, pass);
  return file;
}
}  // namespace stowage
