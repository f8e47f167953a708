#include "calibrate/validate_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/json_reader.hpp"
#include "base/ranges.hpp"
#include "base/read_file.hpp"
#include "calibrate/validate_parts.hpp"

namespace stowage {
namespace {
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

/// A list of one value a request.
JsonReader listed(const JsonReader& run, const char* key) {
  const JsonReader list = run[key];
  if (list && (!list.is_list() || list.raw().empty()))
    list.problem("must be a list of one value a request; run vllm bench serve with --save-result --save-detailed");
  return list;
}

void add_bench(const JsonReader& run, Problems& problems, EngineLog& log) {
  const JsonReader inputs = listed(run, "input_lens"), outputs = listed(run, "output_lens"),
                   first_tokens = listed(run, "ttfts"), begun = listed(run, "start_times"),
                   all_gaps = listed(run, "itls");
  problems.throw_if_any();
  const std::size_t n = inputs.raw().size();
  for (const JsonReader* list : {&outputs, &first_tokens, &begun, &all_gaps})
    if (list->raw().size() != n)
      list->problem(fmt::format("has {} values and /input_lens {}; was the file cut off?", list->raw().size(), n));
  problems.throw_if_any();
  const auto ttfts = first_tokens.numbers(0, time_s_max), starts = begun.numbers(0, unix_s_max);
  std::vector<std::int64_t> prompts, lengths;
  std::vector<std::vector<double>> itls;
  for (std::size_t i = 0; i < n; ++i) {
    prompts.push_back(inputs[i].integer(0, tokens_max));
    lengths.push_back(outputs[i].integer(0, tokens_max));
    itls.push_back(all_gaps[i].numbers(0, time_s_max));
  }
  const JsonReader errors = run.find("errors");
  std::vector<bool> failed(n);
  for (std::size_t i = 0; errors && i < std::min(n, errors.items().size()); ++i)
    failed[i] = errors[i].is_text() && !errors[i].text().empty();
  const double duration = run.find("duration").number(0, time_s_max);
  log.duration_s += duration;
  if (const JsonReader completed = run.find("completed"))
    if (static_cast<std::size_t>(completed.integer(0, count_max)) > n)
      completed.problem(fmt::format("is more than the {} requests of /input_lens", n));
  log.model = run.find("model_id").text(log.model);
  problems.throw_if_any();

  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return starts[a] < starts[b]; });
  const double first = starts[order.front()];
  for (const std::size_t i : order) {
    if (failed[i] || prompts[i] < 1 || lengths[i] < 1) {
      ++log.failed;
      continue;
    }
    const double took = ttfts[i] + std::accumulate(itls[i].begin(), itls[i].end(), 0.0);
    const double end = starts[i] - first + took;
    if (starts[i] - first > time_s_max)
      begun[i].problem("is more than 31 years after the first; are the times in seconds?");
    else if (took > time_s_max)
      all_gaps[i].problem("with the time to the first token more than 31 years; are the times in seconds?");
    else if (duration > 0 && end > 1.01 * duration + 1)  // the clocks of a client and of its summary may part a little
      first_tokens[i].problem(fmt::format("its request ends {:.3g} s after the first began, and /duration is {:.3g} s",
                                          end, duration));
    problems.throw_if_any();
    RequestRecord r;
    r.id = log.requests.size();
    r.arrival_ns = r.first_scheduled_ns = ns(starts[i] - first);
    r.prompt_tokens = static_cast<std::int32_t>(prompts[i]);
    r.output_tokens = static_cast<std::int32_t>(lengths[i]);
    r.first_token_ns = r.arrival_ns + ns(ttfts[i]);
    std::vector<std::int64_t> gaps;
    for (const double gap : itls[i]) gaps.push_back(ns(gap));
    r.finished_ns = std::accumulate(gaps.begin(), gaps.end(), r.first_token_ns);
    log.requests.push_back(r);
    log.gaps_ns.push_back(std::move(gaps));
  }
}

constexpr const char* whole = "the result of vllm bench serve";

/// Of one benchmark; --append-result adds a line for each.
nlohmann::ordered_json parse_bench(std::string_view text, const std::string& file) {
  try {
    return parse_json(text, file, whole);
  } catch (const InputError&) {
    const auto end = std::min(text.find('\n'), text.size());
    if (nlohmann::ordered_json::accept(text.substr(0, end)))
      throw InputError({file, 2, 0}, "a second result; keep the line of the one to compare");
    throw;
  }
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
    const std::string text = read_file(path, whole_bytes_max);
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
    Problems problems;
    const auto run = parse_bench(text, path);
    add_bench(JsonReader(run, path, problems), problems, log);
  }
  if (log.requests.empty())
    throw InputError({paths.empty() ? "" : paths.front(), 0, 0},
                     "no finished request to compare; give the JSON of vllm bench serve");
  return log;
}

Validation validate_engine(const EngineLog& log, const std::string& path, const ValidateOptions& options) {
  const std::string stand_in = "workload={requests: [{prompt: 1, output: 1}]}";
  // The requests of the log replace the workload; what `run` refuses of it is refused here too.
  std::vector<std::string> own = options.sets;
  if (!ConfigDocument::load(path).root().get("workload")) own.push_back(stand_in);
  const Scenario as_written = load_scenario(path, own);
  std::vector<std::string> sets;
  if (!options.profile.empty()) sets.push_back("cost={source: profile, profile: '" + options.profile + "'}");
  if (log.kv_tokens) sets.push_back(fmt::format("memory={{kv_tokens: {}}}", *log.kv_tokens));
  sets.push_back(stand_in);
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
  if (log.kv_tokens)
    out.notes.push_back(fmt::format(
        "the engine's KV cache: {} tokens; the scenario's own memory gives {} ({:+.2f} %)", *log.kv_tokens,
        as_written.pool_tokens,
        100.0 * (static_cast<double>(as_written.pool_tokens) / static_cast<double>(*log.kv_tokens) - 1)));
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
