#include "calibrate/measured.hpp"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "calibrate/probe_file.hpp"
#include "traces/file_bytes.hpp"

namespace stowage {
namespace {
using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view schema = "stowage.measured/1";

[[noreturn]] void damaged(const std::string& file, int line, const std::string& what) {
  throw InputError({file, line, 0}, what + "; is this what gpu_probe replay wrote?");
}

/// A CSV with a header, field by field. Fields have no quotes: names of managers with a comma are not written.
class Table {
 public:
  Table(const std::string& path, std::initializer_list<const char*> needed) : path_(path), bytes_(path) {
    rest_ = bytes_.view();
    if (!next()) damaged(path_, 1, "the file is empty");
    for (std::size_t i = 0; i < fields_.size(); ++i) column_[std::string(fields_[i])] = i;
    for (const char* name : needed)
      if (!column_.contains(name)) damaged(path_, 1, fmt::format("no column '{}'", name));
    width_ = fields_.size();
  }
  /// The next row; false at the end.
  bool next() {
    if (rest_.empty()) return false;
    ++line_;
    const auto end = rest_.find('\n');
    std::string_view row = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    fields_.clear();
    for (std::size_t at = 0;;) {
      const auto comma = row.find(',', at);
      fields_.push_back(row.substr(at, comma - at));
      if (comma == std::string_view::npos) break;
      at = comma + 1;
    }
    if (width_ > 0 && fields_.size() != width_)
      damaged(path_, line_, fmt::format("{} fields, not {}", fields_.size(), width_));
    return true;
  }
  [[nodiscard]] std::string_view text(const char* name) const { return fields_[column_.find(name)->second]; }
  [[nodiscard]] std::int64_t integer(const char* name) const {
    const std::string_view s = text(name);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
    if (error != std::errc{} || end != s.data() + s.size())
      damaged(path_, line_, fmt::format("{}: '{}' is not a whole number", name, s));
    return value;
  }
  [[nodiscard]] int line() const { return line_; }

 private:
  std::string path_;
  FileBytes bytes_;
  std::string_view rest_;
  std::vector<std::string_view> fields_;
  std::map<std::string, std::size_t, std::less<>> column_;
  std::size_t width_ = 0;
  int line_ = 0;
};

/// Every number of a JSON object by its path.
void flatten(const Json& node, const std::string& path, std::map<std::string, double>& out) {
  if (node.is_number()) out[path] = node.get<double>();
  if (!node.is_object()) return;
  for (const auto& [key, value] : node.items()) flatten(value, path.empty() ? key : path + "." + key, out);
}

std::vector<MeasuredIteration::Chunk> chunks_of(std::string_view text, const std::string& file, int line) {
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
                    std::from_chars(one.data() + at + 1, end, c.stored).ptr == end && c.count > 0 && c.stored >= 0;
    if (!ok) damaged(file, line, fmt::format("chunks: '{}' is not count@stored", one));
    out.push_back(c);
  }
  return out;
}

MeasuredPass& pass_of(MeasuredFile& file, const Table& row, const std::string& path) {
  const std::string_view name = row.text("manager");
  const auto index = static_cast<std::size_t>(row.integer("pass"));
  for (MeasuredManager& m : file.managers)
    if (m.name == name && index < m.passes.size()) return m.passes[index];
  damaged(path, row.line(), fmt::format("pass {} of '{}' is not in measured.json", index, name));
}

void read_iterations(MeasuredFile& file, const std::string& path) {
  Table t(path, {"manager", "pass", "index", "start_ns", "stall_ns", "step_ns", "prefill_tokens", "decode_seqs",
                 "decode_kv_tokens", "running", "waiting", "live_bytes", "held_bytes", "cached_bytes", "external_bytes",
                 "free_bytes", "chunks", "host_ns", "gpu_ns"});
  while (t.next()) {
    MeasuredIteration i;
    IterationRecord& r = i.record;
    r.index = static_cast<std::uint64_t>(t.integer("index"));
    r.start_ns = t.integer("start_ns");
    r.stall_ns = t.integer("stall_ns");
    r.step_ns = t.integer("step_ns");
    r.prefill_tokens = t.integer("prefill_tokens");
    r.decode_seqs = t.integer("decode_seqs");
    r.decode_kv_tokens = t.integer("decode_kv_tokens");
    r.running = t.integer("running");
    r.waiting = t.integer("waiting");
    r.live_bytes = t.integer("live_bytes");
    r.held_bytes = t.integer("held_bytes");
    r.cached_bytes = t.integer("cached_bytes");
    r.external_bytes = t.integer("external_bytes");
    r.free_bytes = t.integer("free_bytes");
    i.gpu_ns = t.integer("gpu_ns");
    i.host_ns = t.integer("host_ns");
    i.line = t.line();
    if (r.step_ns <= 0) damaged(path, t.line(), "an iteration that took no time");
    if (r.prefill_tokens < 0 || r.decode_seqs < 0 || r.decode_kv_tokens < 0 || r.prefill_tokens + r.decode_seqs == 0)
      damaged(path, t.line(), "an iteration that computed nothing");
    i.chunks = chunks_of(t.text("chunks"), path, t.line());
    std::int64_t tokens = 0;
    for (const auto& c : i.chunks) tokens += c.count;
    if (tokens != r.prefill_tokens) damaged(path, t.line(), "the chunks are not the prefill tokens");
    pass_of(file, t, path).iterations.push_back(std::move(i));
  }
}

void read_requests(MeasuredFile& file, const std::string& path) {
  Table t(path, {"manager", "pass", "id", "arrival_ns", "prompt_tokens", "output_tokens", "preemptions", "queue_ns",
                 "ttft_ns", "e2e_ns"});
  while (t.next()) {
    RequestRecord r;
    r.id = static_cast<std::uint64_t>(t.integer("id"));
    r.arrival_ns = t.integer("arrival_ns");
    r.prompt_tokens = static_cast<std::int32_t>(t.integer("prompt_tokens"));
    r.output_tokens = static_cast<std::int32_t>(t.integer("output_tokens"));
    r.preemptions = static_cast<std::int32_t>(t.integer("preemptions"));
    r.first_scheduled_ns = r.arrival_ns + t.integer("queue_ns");
    r.first_token_ns = r.arrival_ns + t.integer("ttft_ns");
    r.finished_ns = r.arrival_ns + t.integer("e2e_ns");
    pass_of(file, t, path).requests.push_back(r);
  }
}

MeasuredPass read_pass(const Json& json) {
  MeasuredPass pass;
  pass.state = json.at("state").get<std::string>();
  pass.status = json.at("status").get<std::string>();
  if (json.contains("result")) flatten(json.at("result"), "", pass.numbers);
  pass.driver_maps = json.at("driver").at("map_calls").get<std::uint64_t>();
  pass.driver_unmaps = json.at("driver").at("unmap_calls").get<std::uint64_t>();
  return pass;
}
}  // namespace

MeasuredFile load_measured(const std::string& given) {
  MeasuredFile file;
  std::error_code ignored;
  file.path = fs::is_directory(given, ignored) ? (fs::path(given) / "measured.json").string() : given;
  if (!fs::exists(file.path, ignored))
    throw InputError({file.path, 0, 0}, "no such file; give the folder that gpu_probe replay wrote with -o");
  const FileBytes bytes(file.path);
  std::string iterations, requests;
  try {
    const Json json = Json::parse(bytes.view());
    if (!json.is_object() || json.value("schema", "") != schema)
      throw InputError({file.path, 0, 0}, fmt::format("not a measured run: its schema is not \"{}\"", schema));
    file.date = json.at("date").get<std::string>();
    file.gpu = json.at("device").at("name").get<std::string>();
    file.driver = json.at("device").at("driver").get<std::string>();
    file.model = json.at("model").get<std::string>();
    file.status = json.at("status").get<std::string>();
    file.layers = json.at("layers").get<std::int64_t>();
    file.model_layers = json.at("model_layers").get<std::int64_t>();
    file.scenario = json.at("scenario").get<std::string>();
    file.notes = json.at("notes").get<std::vector<std::string>>();
    if (const auto points = json.find("canary"); points != json.end()) file.canary = canary_times(*points);
    for (const Json& run : json.at("runs")) {
      MeasuredManager& m = file.managers.emplace_back();
      m.name = run.at("name").get<std::string>();
      for (const Json& pass : run.at("passes")) m.passes.push_back(read_pass(pass));
    }
    iterations = json.at("files").at("iterations").get<std::string>();
    requests = json.at("files").at("requests").get<std::string>();
  } catch (const Json::exception& e) {
    throw InputError({file.path, 0, 0}, fmt::format("{}; is this what gpu_probe replay wrote?", e.what()));
  }
  const fs::path folder = fs::path(file.path).parent_path();
  file.iterations_path = (folder / iterations).string();
  read_iterations(file, file.iterations_path);
  read_requests(file, (folder / requests).string());
  return file;
}
}  // namespace stowage
