#include "calibrate/measured.hpp"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/csv_table.hpp"
#include "base/json_reader.hpp"
#include "base/ranges.hpp"
#include "calibrate/probe_file.hpp"
#include "traces/file_bytes.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;

constexpr std::string_view schema = "stowage.measured/1";

constexpr const char* whole = "what gpu_probe replay wrote";

/// Every number of a run's result by its path: counts, bytes, times, shares. Only what it is of is told in text.
void flatten(const JsonReader& node, const std::string& path, std::map<std::string, double>& out) {
  for (const auto& [key, value] : node.entries()) {
    const std::string below = path.empty() ? key : path + "." + key;
    if (below == "name" || below == "manager" || value.raw().is_null()) continue;
    if (value.is_object())
      flatten(value, below, out);
    else
      out[below] = value.number(0, 1e18);
  }
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
    if (!pass.iterations.empty() && r.index <= pass.iterations.back().record.index)
      t.fail("index", fmt::format("{} does not come after {}", r.index, pass.iterations.back().record.index));
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
  flatten(in.find("result"), "", pass.numbers);
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
  for (const JsonReader& run : in["runs"].items()) {
    MeasuredManager& m = file.managers.emplace_back();
    m.name = run["name"].text();
    for (const JsonReader& pass : run["passes"].items()) m.passes.push_back(read_pass(pass));
  }
  const std::string iterations = in["files"]["iterations"].text(), requests = in["files"]["requests"].text();
  problems.throw_if_any();
  const fs::path folder = fs::path(file.path).parent_path();
  file.iterations_path = (folder / iterations).string();
  read_iterations(file, file.iterations_path);
  read_requests(file, (folder / requests).string());
  return file;
}
}  // namespace stowage
