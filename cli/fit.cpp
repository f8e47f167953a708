// stowage fit: what fits, by arithmetic.
#include "planner/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/settings.hpp"
#include "cli/table.hpp"
#include "models/cost/profile_prices.hpp"
#include "models/cost/roofline.hpp"
#include "models/kv_groups.hpp"
#include "models/vllm_log.hpp"
#include "reports/text.hpp"
#include "scenario/keys/tables.hpp"
#include "scenario/scenario.hpp"
#include "traces/at_once.hpp"

namespace stowage::cli {
namespace {
using Json = nlohmann::ordered_json;

std::string number(std::int64_t n) { return text::count(static_cast<std::uint64_t>(std::max<std::int64_t>(0, n))); }
std::string gib(Bytes b) { return fmt::format("{:.2f} GiB", static_cast<double>(b.count()) / 1073741824.0); }

/// All that goes in, and what to say about where it came from.
struct Question {
  FitInput in;
  MemoryOptions memory;
  const EngineSpec* engine = nullptr;
  std::optional<VllmLog> log;
  std::string workload;
  std::string prices;  // what the steps are priced by
  std::vector<std::string> notes;
};

/// The lengths of a workload by rank, leaving out what the engine would refuse.
void measure(Question& q, const Workload& workload) {
  std::vector<FitLength> lengths;
  std::vector<Request> batch(4096);
  AtOnce stream(workload);
  std::int64_t refused = 0, first_ns = -1, last_ns = 0;
  while (const std::size_t n = stream.read(batch)) {
    for (std::size_t i = 0; i < n; ++i) {
      const Request& r = batch[i];
      if (first_ns < 0) first_ns = r.arrival_ns;
      last_ns = r.arrival_ns;
      stream.drop(r);
      const FitLength l{r.prompt_tokens, r.output_tokens};
      if (l.prompt + l.output > q.in.max_model_len)
        ++refused;
      else
        lengths.push_back(l);
    }
  }
  if (lengths.empty())
    throw InputError(
        {}, fmt::format("no request of the workload is within {} tokens; raise --max-model-len", q.in.max_model_len));
  const auto at = [&](double share) {
    const auto rank = static_cast<std::ptrdiff_t>(share * static_cast<double>(lengths.size() - 1));
    std::nth_element(lengths.begin(), lengths.begin() + rank, lengths.end(), [](const auto& a, const auto& b) {
      return std::pair(a.stored(), a.prompt) < std::pair(b.stored(), b.prompt);
    });
    return lengths[static_cast<std::size_t>(rank)];
  };
  q.in.p50 = at(0.5);
  q.in.p95 = at(0.95);
  q.in.max = at(1);
  const double seconds = static_cast<double>(last_ns - first_ns) / 1e9;
  if (seconds > 0) q.in.arrivals_per_s = static_cast<double>(lengths.size()) / seconds;
  if (refused > 0)
    q.notes.push_back(fmt::format("{} requests are longer than max_model_len {} and would be refused; left out",
                                  number(refused), number(q.in.max_model_len)));
}

/// What the options say of memory and batches goes before the engine's own, and both before the scenario's.
void read_memory(Question& q, const Settings& set) {
  MemorySpec memory;
  set.read(keys::memory_keys(), memory);
  auto& m = q.memory;
  SchedulerConfig batch;
  batch.max_batch = m.max_batch, batch.max_batched_tokens = m.max_batched_tokens;
  if (q.engine != nullptr) {
    const EngineLimits limits = engine_limits(q.in.hardware, *q.engine, q.in.max_model_len);
    batch.max_batch = limits.max_num_seqs, batch.max_batched_tokens = limits.max_num_batched_tokens;
    m.utilization = q.engine->utilization;
  }
  set.read(keys::scheduler_keys(), batch);
  m.max_batch = batch.max_batch, m.max_batched_tokens = batch.max_batched_tokens;
  m.engine = q.engine;
  m.tensor = q.in.layout.tensor;
  m.pipeline = q.in.layout.pipeline;
  m.expert = q.in.layout.expert;
  m.utilization = memory.utilization.value_or(m.utilization);
  const auto override_with = [](const std::optional<Bytes>& given, std::optional<Bytes>& value) {
    if (given) value = given;
  };
  override_with(memory.device, m.device);
  override_with(memory.weights, m.weights);
  override_with(memory.activations, m.activations);
  override_with(memory.overhead, m.overhead);
  override_with(memory.graphs, m.graphs);
}

/// --max-model-len, else `otherwise`.
std::int64_t longest(const Settings& set, std::int64_t otherwise) {
  SchedulerConfig limits;
  limits.max_model_len = otherwise;
  set.read(keys::scheduler_keys(), limits);
  return limits.max_model_len;
}

/// The terms a log tells replace the estimates; its tokens, or its GiB, replace the pool.
void apply_log(Question& q) {
  const VllmLog& log = *q.log;
  const auto take = [](const std::optional<Bytes>& told, std::optional<Bytes>& value) {
    if (told && !value) value = told;
  };
  take(log.device, q.memory.device);
  take(log.weights, q.memory.weights);
  take(log.activations, q.memory.activations);
  take(log.overhead, q.memory.overhead);
  take(log.graphs, q.memory.graphs);
  if (log.utilization && *log.utilization > 0 && *log.utilization <= 1) q.memory.utilization = *log.utilization;
}

void settle_pool(Question& q) {
  auto& b = q.in.budget;
  b = memory_budget(q.in.model, q.in.hardware, q.memory);
  if (!q.log) {
    require_fits(b, q.in.model, q.in.hardware);
    return;
  }
  b.null_block = Bytes{};  // what the log tells includes it
  b.kv_pool = q.log->kv_tokens ? b.kv_bytes_per_token * *q.log->kv_tokens : *q.log->kv_cache;
  b.pool_tokens = floor_div(b.kv_pool, b.kv_bytes_per_token);
  if (!q.log->kv_tokens) b.pool_tokens -= b.pool_tokens % 16;
}

void from_scenario(Question& q, const Settings& set) {
  const Scenario s = load_scenario(set.text("scenario"));
  q.in.model = s.model;
  q.in.hardware = s.hardware;
  q.in.layout = set.layout(s.model, s.hardware, s.cluster.layout());
  q.memory.utilization = s.memory.utilization.value_or(q.memory.utilization);
  q.memory.max_batch = s.scheduler.max_batch;
  q.memory.max_batched_tokens = s.scheduler.max_batched_tokens;
  q.memory.activations = s.memory.activations;
  q.memory.overhead = s.memory.overhead;
  q.memory.device = s.memory.device;
  q.memory.weights = s.memory.weights;
  q.memory.graphs = s.memory.graphs;
  q.in.max_model_len = longest(set, s.scheduler.max_model_len);
  q.workload = "of " + s.file;
  if (s.memory.kv_pool || s.memory.kv_tokens)
    q.notes.push_back("the scenario gives its pool outright; this is the pool its GPUs would have");
  measure(q, *s.runs.front().workload);
}

void from_options(Question& q, const Settings& set) {
  for (const auto* name : {"model", "hardware"})
    if (!set.has(name))
      throw InputError({}, fmt::format("--{} is missing; write: stowage fit --model llama-3.1-8b --hardware "
                                       "h100-sxm-80gb, or give --scenario FILE",
                                       name));
  q.in.model = load_model(set.text("model"));
  q.in.hardware = load_hardware(set.text("hardware"));
  q.in.layout = set.layout(q.in.model, q.in.hardware);
  q.in.max_model_len = longest(set, std::min(SchedulerConfig{}.max_model_len, q.in.model.max_positions));
}

/// Steps by the profile that ships for the GPU, else by its spec sheet.
void price(Question& q) {
  if (const std::string why = q.in.model.unsimulated(); !why.empty()) {
    q.prices = "none: " + why;
    return;
  }
  const std::int64_t tokens = std::max(q.memory.max_batched_tokens, q.memory.max_batch);
  const auto profile = shipped_profile(q.in.hardware.name);
  if (!profile) {
    q.in.cost = compile_roofline(q.in.model, q.in.hardware, q.in.layout, tokens, q.in.max_model_len);
    q.prices = fmt::format("spec sheet of {} (roofline, uncalibrated)", q.in.hardware.name);
    return;
  }
  ProfileTarget target;
  target.tensor = q.in.layout.tensor;
  target.max_batched_tokens = tokens;
  target.max_batch = q.memory.max_batch;
  q.in.cost = compile_partly(q.in.model, q.in.hardware, *profile, q.in.layout, target, q.in.max_model_len);
  q.prices = fmt::format("profile {}, {}", profile->name, profile->summary());
  const bool whole = beyond_profile(q.in.model, q.in.layout).empty();
  std::vector<std::string> gaps;
  if (!q.in.model.moe() && !q.in.model.latent()) gaps = profile_gaps(q.in.model, *profile, q.in.layout.tensor);
  if (!whole)
    gaps.push_back(
        partly_measured(q.in.model, q.in.hardware, *profile, q.in.layout, target, q.in.max_model_len, q.in.cost));
  q.in.calibrated = whole;  // shapes scaled from others are in the notes
  for (const std::string& gap : gaps) q.notes.push_back(fmt::format("profile {}: {}", profile->name, gap));
}

Question ask(const Options& options) {
  const Settings set(options);
  Question q;
  if (set.has("engine")) {
    q.engine = find_engine(set.text("engine"));
    if (q.engine == nullptr)
      throw InputError({}, fmt::format("--engine: no '{}'; known are {}", set.text("engine"), engine_names()));
  }
  if (set.has("scenario")) {
    for (const auto* name : {"model", "hardware"})
      if (set.has(name)) throw InputError({}, fmt::format("--{} and --scenario say the same; give one of them", name));
    from_scenario(q, set);
  } else {
    from_options(q, set);
  }
  MemorySpec memory;
  set.read(keys::memory_keys(), memory);
  if (memory.kv_dtype) q.in.model.kv_dtype = *memory.kv_dtype;
  if (set.has("trace")) {
    TraceLedger ledger;
    measure(q, *open_trace({.path = set.text("trace")}, ledger));
    q.workload = "of " + set.text("trace");
  } else if (!set.has("scenario")) {
    const std::int64_t longest = q.in.max_model_len;
    const auto length = [&](std::int64_t tokens) {
      const std::int64_t all = std::clamp<std::int64_t>(tokens, 2, longest);
      return FitLength{all - all / 4, std::max<std::int64_t>(1, all / 4)};
    };
    q.in.p50 = length(1024);
    q.in.p95 = length(4096);
    q.in.max = length(longest);
    q.workload = "no workload given: 1,024 and 4,096 tokens and the longest, a quarter of them output";
  }
  read_memory(q, set);
  if (set.has("from-vllm-log")) {
    q.log = load_vllm_log(set.text("from-vllm-log"));
    apply_log(q);
  }
  settle_pool(q);
  q.in.max_batch = q.memory.max_batch;
  price(q);
  if (q.engine != nullptr && !q.engine->pool_measured)
    q.notes.push_back(fmt::format(
        "no start-up log of {} was at hand: its terms are taken from the nearest "
        "releases that have one, and may be wrong by a GiB; give --activations, --overhead and --graphs when known",
        q.engine->name));
  for (const auto& sentence : q.in.model.assumed) q.notes.push_back(sentence);
  if (const Bytes state = q.in.model.state_bytes_per_sequence(q.in.layout.tensor); state.count() > 0)
    q.notes.push_back(
        fmt::format("every sequence also keeps {:.1f} MiB of state on each GPU, whatever its length; the "
                    "sequences that fit are counted with it, the pool's tokens without",
                    static_cast<double>(state.count()) / 1048576.0));
  if (q.in.model.window > 0)
    q.notes.push_back(
        fmt::format("managers keep every token of every layer; with windows of {} the longest request "
                    "would need {} instead of {}",
                    q.in.model.window, gib(q.in.model.kv_bytes_of_request(q.in.max.stored())),
                    gib(q.in.model.kv_bytes_per_token() * q.in.max.stored())));
  return q;
}

bool graphs_estimated(const Question& q) { return q.in.budget.graphs.count() > 0 && !q.memory.graphs; }

/// "102 graphs of 19 MiB; engines' logs had 9 to 28"
std::string graphs(const Question& q) {
  return fmt::format("{} graphs of {:.0f} MiB; engines' logs had {:.0f} to {:.0f}", engine_graphs(q.memory.max_batch),
                     q.engine != nullptr ? q.engine->graph_mib : 0, graph_mib_reported_min, graph_mib_reported_max);
}

Json as_json(const Question& q, const FitReport& report) {
  const auto& b = q.in.budget;
  const auto length = [](const FitLength& l) { return Json{{"prompt", l.prompt}, {"output", l.output}}; };
  Json out = {{"model", q.in.model.name},
              {"hardware", q.in.hardware.name},
              {"engine", q.engine == nullptr ? Json(nullptr) : Json(q.engine->name)},
              {"layout",
               {{"tensor", q.in.layout.tensor},
                {"pipeline", q.in.layout.pipeline},
                {"expert", q.in.layout.expert},
                {"data", q.in.layout.data}}},
              {"pool_bytes", report.pool.count()},
              {"pool_tokens", b.pool_tokens},
              {"kv_bytes_per_token", b.kv_bytes_per_token.count() * q.in.layout.gpus()},
              {"budget",
               {{"device", b.device.count()},
                {"usable", b.usable.count()},
                {"weights", b.weights.count()},
                {"activations", b.activations.count()},
                {"overhead", b.overhead.count()},
                {"graphs", b.graphs.count()},
                {"graphs_estimated", graphs_estimated(q)},
                {"null_block", b.null_block.count()},
                {"kv_pool", b.kv_pool.count()},
                {"stage", b.stage},
                {"source", q.log ? "vllm log" : "estimate"}}},
              {"lengths", {{"p50", length(q.in.p50)}, {"p95", length(q.in.p95)}, {"max", length(q.in.max)}}}};
  const auto at_once =
      max_concurrency(q.in.model, b, q.in.layout.tensor, q.in.max_model_len, q.memory.max_batched_tokens);
  if (at_once) out["max_concurrency"] = *at_once;
  out["managers"] = Json::array();
  for (const auto& m : report.managers) {
    Json row = {{"name", m.name},
                {"max_sequences", {{"p50", m.p50}, {"p95", m.p95}, {"max", m.max}}},
                {"waste_bytes_per_request", m.waste_bytes}};
    if (m.mapped)
      row["mapping"] = {
          {"page_bytes", m.mapping.page.count()},         {"tensors", m.mapping.tensors},
          {"tokens_per_page", m.mapping.tokens_per_page}, {"live_mappings", m.mapping.live_mappings},
          {"live_mappings_max", live_mappings_max},       {"requests_per_s", m.mapping.requests_per_s},
          {"calls_per_s", m.mapping.calls_per_s},         {"driver_calls_per_s", m.mapping.driver_calls_per_s}};
    out["managers"].push_back(std::move(row));
  }
  out["prices"] = q.prices;
  out["verdict"] = report.verdict;
  out["notes"] = q.notes;
  return out;
}

std::string budget_text(const Question& q) {
  const auto& b = q.in.budget;
  const auto& l = q.in.layout;
  const std::string gpus = l.gpus() == 1 ? "one GPU" : fmt::format("one of {} GPUs", l.gpus());
  std::vector<std::pair<std::string, std::string>> rows = {
      {"memory of " + gpus, fmt::format("{} as the driver reports it", gib(b.device))},
      {"x utilization", fmt::format("{} ({})", gib(b.usable), q.memory.utilization)},
      {"- weights", gib(b.weights)},
      {"- activations", fmt::format("{} ({} tokens, {} sequences a step)", gib(b.activations),
                                    number(q.memory.max_batched_tokens), number(q.memory.max_batch))},
      {"- non-torch memory", gib(b.overhead)}};
  if (b.graphs.count() > 0)
    rows.emplace_back("- CUDA graphs",
                      graphs_estimated(q) ? fmt::format("{} (estimate: {})", gib(b.graphs), graphs(q)) : gib(b.graphs));
  if (b.null_block.count() > 0)
    rows.emplace_back("- null block", text::bytes(static_cast<double>(b.null_block.count())));
  std::string pool = fmt::format("{} / {} B a token", gib(b.kv_pool), number(b.kv_bytes_per_token.count()));
  if (l.pipeline > 1) pool += fmt::format(", stage {} of {} decides", b.stage + 1, l.pipeline);
  rows.emplace_back(q.log ? "KV pool, of the log" : "= KV pool", pool);
  return facts(rows) + concurrency_line(q.in.model, b, l.tensor, q.in.max_model_len, q.memory.max_batched_tokens) +
         "\n";
}

std::string as_text(const Question& q, const FitReport& report) {
  const auto length = [](const FitLength& l) { return fmt::format("{} + {}", number(l.prompt), number(l.output)); };
  std::string out = fmt::format("{} on {}", q.in.model.name, q.in.hardware.name);
  if (q.engine != nullptr) out += fmt::format(", memory as {} takes it", q.engine->name);
  out += "\n\n" + budget_text(q) + "\n";
  out += fmt::format("Sequences that fit, {} (prompt + output: p50 {}, p95 {}, longest {}):\n", q.workload,
                     length(q.in.p50), length(q.in.p95), length(q.in.max));
  std::vector<std::vector<std::string>> rows = {
      {"manager", "p50", "p95", "longest", "waste a request", "calls/s", "of driver", "live mappings"}};
  for (const auto& m : report.managers) {
    const auto& map = m.mapping;
    const bool maps = m.mapped && map.driver_calls_per_s > 0;
    rows.push_back({m.name, number(m.p50), number(m.p95), number(m.max), text::bytes(m.waste_bytes),
                    maps ? fmt::format("{:.0f}", map.calls_per_s) : "",
                    maps ? fmt::format("{:.1f} %", 100 * map.calls_per_s / map.driver_calls_per_s) : "",
                    maps ? number(map.live_mappings) : ""});
  }
  out += table(rows);
  out +=
      "Waste: on average held when a request ends and never used (half a block; half a page in every tensor). Calls:\n"
      "map and set-access on one GPU with no page kept from earlier requests. Pages under 2 MiB need a patched "
      "driver.\n\n";
  for (const auto& sentence : report.verdict) out += sentence + "\n";
  out += "prices of steps: " + q.prices + "\n";
  for (const auto& note : q.notes) out += "note: " + note + "\n";
  return out;
}
}  // namespace

Outcome fit_command(const Options& options) {
  const Question q = ask(options);
  const FitReport report = fit(q.in);
  if (!options.json) return {as_text(q, report)};
  return {as_json(q, report).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"};
}
}  // namespace stowage::cli
