#include "calibrate/validate_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.hpp"
#include "calibrate/validate_parts.hpp"
#include "traces/file_bytes.hpp"

namespace stowage {
namespace {
using Json = nlohmann::json;

std::int64_t ns(double seconds) { return std::llround(seconds * 1e9); }

/// "GPU KV cache size: 227,840 tokens"
std::optional<std::int64_t> kv_cache_line(std::string_view text) {
  constexpr std::string_view words = "GPU KV cache size: ";
  const auto at = text.find(words);
  if (at == std::string_view::npos) return std::nullopt;
  std::int64_t tokens = 0;
  for (const char c : text.substr(at + words.size())) {
    if (c >= '0' && c <= '9' && tokens < std::int64_t{1} << 50)
      tokens = tokens * 10 + (c - '0');
    else if (c != ',')
      break;
  }
  return tokens > 0 ? std::optional(tokens) : std::nullopt;
}

template <class T>
std::vector<T> array(const Json& run, const char* key, const std::string& file) {
  if (!run.contains(key) || !run.at(key).is_array() || run.at(key).empty())
    throw InputError({file, 0, 0}, fmt::format("no '{}' of each request; run vllm bench serve with --save-result "
                                               "--save-detailed",
                                               key));
  return run.at(key).get<std::vector<T>>();
}

void add_bench(const Json& run, const std::string& file, EngineLog& log) {
  const auto inputs = array<std::int64_t>(run, "input_lens", file),
             outputs = array<std::int64_t>(run, "output_lens", file);
  const auto ttfts = array<double>(run, "ttfts", file), starts = array<double>(run, "start_times", file);
  const auto itls = array<std::vector<double>>(run, "itls", file);
  const std::size_t n = inputs.size();
  if (outputs.size() != n || ttfts.size() != n || itls.size() != n || starts.size() != n)
    throw InputError({file, 0, 0}, "its arrays are of different lengths; was the file cut off?");
  const Json errors = run.value("errors", Json::array());
  log.duration_s += run.value("duration", 0.0);
  log.model = run.value("model_id", log.model);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return starts[a] < starts[b]; });
  const double first = starts[order.front()];
  for (const std::size_t i : order) {
    const bool bad = i < errors.size() && errors[i].is_string() && !errors[i].get<std::string>().empty();
    if (bad || inputs[i] < 1 || outputs[i] < 1) {
      ++log.failed;
      continue;
    }
    RequestRecord r;
    r.id = log.requests.size();
    r.arrival_ns = r.first_scheduled_ns = ns(starts[i] - first);
    r.prompt_tokens = static_cast<std::int32_t>(inputs[i]);
    r.output_tokens = static_cast<std::int32_t>(outputs[i]);
    r.first_token_ns = r.arrival_ns + ns(ttfts[i]);
    std::vector<std::int64_t> gaps;
    for (const double gap : itls[i]) gaps.push_back(ns(gap));
    r.finished_ns = std::accumulate(gaps.begin(), gaps.end(), r.first_token_ns);
    log.requests.push_back(r);
    log.gaps_ns.push_back(std::move(gaps));
  }
}

/// One object, or one a line (--append-result).
std::vector<Json> objects(std::string_view text, const std::string& file) {
  std::vector<Json> out;
  try {
    out.push_back(Json::parse(text));
    return out;
  } catch (const Json::exception&) { out.clear(); }
  int line = 0;
  while (!text.empty()) {
    ++line;
    const auto end = text.find('\n');
    const std::string_view row = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (std::all_of(row.begin(), row.end(), [](unsigned char c) { return std::isspace(c) != 0; })) continue;
    try {
      out.push_back(Json::parse(row));
    } catch (const Json::exception& e) {
      throw InputError({file, line, 0}, fmt::format("{}; is this what vllm bench serve wrote?", e.what()));
    }
  }
  return out;
}

class Requests final : public Workload {
 public:
  explicit Requests(const std::vector<RequestRecord>& records) {
    for (const RequestRecord& r : records) rows_.push_back({r.arrival_ns, r.prompt_tokens, r.output_tokens, r.id});
  }
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override {
    struct Stream final : RequestStream {
      explicit Stream(const std::vector<Request>& all) : rows(all) {}
      std::size_t read(std::span<Request> out) override {
        const std::size_t n = std::min(out.size(), rows.size() - at);
        std::copy_n(rows.begin() + static_cast<std::ptrdiff_t>(at), n, out.begin());
        at += n;
        return n;
      }
      const std::vector<Request>& rows;
      std::size_t at = 0;
    };
    return std::make_unique<Stream>(rows_);
  }

 private:
  std::vector<Request> rows_;
};

/// The client sees no iterations; gaps between its tokens stand for them in the distribution of TBT.
void compare_gaps(const EngineLog& log, const RunResult& result, ManagerValidation& out) {
  std::vector<double> gaps;
  for (const auto& request : log.gaps_ns)
    for (const std::int64_t gap : request) gaps.push_back(static_cast<double>(gap) / 1e9);
  if (gaps.empty()) return;
  const double mean = std::accumulate(gaps.begin(), gaps.end(), 0.0) / static_cast<double>(gaps.size());
  out.numbers.push_back({"tbt_s.mean", mean, result.tbt_ns.mean() / 1e9, false});
  out.numbers.push_back({"tbt_s.p50", validation::nearest_rank(gaps, 0.5), result.tbt_ns.quantile(0.5) / 1e9, false});
  out.numbers.push_back({"tbt_s.p95", validation::nearest_rank(gaps, 0.95), result.tbt_ns.quantile(0.95) / 1e9, false});
  out.numbers.push_back({"tbt_s.p99", validation::nearest_rank(gaps, 0.99), result.tbt_ns.quantile(0.99) / 1e9, false});
}
}  // namespace

EngineLog read_engine_log(const std::vector<std::string>& paths) {
  EngineLog log;
  for (const std::string& path : paths) {
    log.files.push_back(path);
    if (!std::filesystem::exists(path)) throw InputError({path, 0, 0}, "no such file; check the path");
    const FileBytes bytes(path);
    const std::string_view text = bytes.view();
    if (const auto tokens = kv_cache_line(text)) {
      log.kv_tokens = tokens;
      continue;
    }
    const auto start = text.find_first_not_of(" \t\r\n");
    if (start == std::string_view::npos || text[start] != '{')
      throw InputError({path, 0, 0},
                       "neither a vllm bench serve result (JSON) nor a log with 'GPU KV cache size: … tokens'");
    if (!log.requests.empty())
      throw InputError({path, 0, 0}, "one benchmark result at a time: two did not run at once");
    const auto runs = objects(text, path);
    if (runs.size() != 1)
      throw InputError({path, 0, 0}, fmt::format("{} results in one file; keep the one to compare", runs.size()));
    try {
      add_bench(runs.front(), path, log);
    } catch (const Json::exception& e) {
      throw InputError({path, 0, 0}, fmt::format("{}; is this what vllm bench serve wrote?", e.what()));
    }
  }
  if (log.requests.empty())
    throw InputError({paths.empty() ? "" : paths.front(), 0, 0},
                     "no finished request to compare; give the JSON of vllm bench serve");
  return log;
}

Validation validate_engine(const EngineLog& log, const std::string& path, const ValidateOptions& options) {
  std::vector<std::string> sets;
  if (!options.profile.empty()) sets.push_back("cost={source: profile, profile: '" + options.profile + "'}");
  if (log.kv_tokens) sets.push_back(fmt::format("memory={{kv_tokens: {}}}", *log.kv_tokens));
  sets.push_back("workload={requests: [{prompt: 1, output: 1}]}");
  sets.insert(sets.end(), options.sets.begin(), options.sets.end());
  Scenario s = load_scenario(path, sets);
  Validation out;
  out.measured_path = log.files.front();
  out.scenario_name = s.name;
  out.gpu = fmt::format("an engine of the user's ({})", log.model.empty() ? "model not named" : log.model);
  out.driver = "unknown";
  out.date = "date unknown";
  out.offline = false;
  out.cost =
      s.cost_used == CostSource::profile
          ? fmt::format("profile {}: {}", s.profile->name, s.profile->summary())
          : fmt::format("{} of {}", cost_source_names.at(static_cast<std::size_t>(s.cost_used)), s.hardware.name);
  out.notes = s.notes;
  if (log.failed > 0) out.notes.push_back(fmt::format("failed requests of the log, left out: {}", log.failed));
  if (log.kv_tokens) {
    std::vector<std::string> own = options.sets;
    const Scenario budget = load_scenario(path, own);
    out.notes.push_back(
        fmt::format("the engine's KV cache: {} tokens; the scenario's own memory gives {} ({:+.2f} %)", *log.kv_tokens,
                    budget.pool_tokens,
                    100.0 * (static_cast<double>(budget.pool_tokens) / static_cast<double>(*log.kv_tokens) - 1)));
  }
  const auto workload = std::make_shared<Requests>(log.requests);
  const auto last =
      std::max_element(log.requests.begin(), log.requests.end(),
                       [](const RequestRecord& a, const RequestRecord& b) { return a.finished_ns < b.finished_ns; });
  std::int64_t tokens = 0;
  for (const RequestRecord& r : log.requests) tokens += r.output_tokens;
  for (RunConfig& run : s.runs) {
    run.workload = workload;
    const validation::Prediction prediction(s, run, {});
    const RunResult& r = prediction.result();
    ManagerValidation v;
    v.name = run.manager.name;
    v.state = "engine";
    v.passes = 1;
    const double makespan = static_cast<double>(last->finished_ns) / 1e9;
    v.numbers.push_back(
        {"requests.completed", static_cast<double>(log.requests.size()), static_cast<double>(r.completed), false});
    v.numbers.push_back({"makespan_s", makespan, static_cast<double>(r.makespan_ns) / 1e9, false});
    v.numbers.push_back(
        {"throughput.output_tokens_per_s", static_cast<double>(tokens) / makespan, r.output_tokens_per_s(), false});
    compare_gaps(log, r, v);
    v.latencies = validation::pair_latencies(log.requests, prediction.requests());
    // A client does not see when its request was first scheduled.
    std::erase_if(v.latencies, [](const PairedLatency& l) { return l.name == "queue"; });
    out.counters_equal = false;
    if (std::abs(v.find("makespan_s")->error()) > std::abs(out.makespan_error))
      out.makespan_error = v.find("makespan_s")->error();
    const double throughput = v.find("throughput.output_tokens_per_s")->error();
    if (std::abs(throughput) > std::abs(out.throughput_error)) out.throughput_error = throughput;
    out.managers.push_back(std::move(v));
  }
  return out;
}
}  // namespace stowage
