// A comparison of decisions as text, at most 80 columns wide, and as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "calibrate/engine_steps/compare.hpp"

namespace stowage::engine_steps {
namespace {
using Json = nlohmann::ordered_json;

struct Row {
  const char *words, *key;
  std::uint64_t (*count)(const Totals&);
};
constexpr std::array<Row, 4> counts = {
    {{"steps", "steps", [](const Totals& t) { return t.steps; }},
     {"preemptions", "preemptions", [](const Totals& t) { return t.preemptions; }},
     {"hit tokens", "hit_tokens", [](const Totals& t) { return static_cast<std::uint64_t>(t.hit_tokens); }},
     {"hit tokens when resumed", "resumed_hit_tokens",
      [](const Totals& t) { return static_cast<std::uint64_t>(t.resumed_hit_tokens); }}}};

struct Latency {
  const char *words, *key;
  std::optional<double> Totals::* of;
};
constexpr std::array<Latency, 3> latencies = {
    {{"mean TTFT, ms", "ttft", &Totals::ttft_s}, {"mean TPOT, ms", "tpot", &Totals::tpot_s},
     {"mean E2E, ms", "e2e", &Totals::e2e_s}}};

/// At most so many columns, cut behind.
std::string cut(const std::string& text, std::size_t columns) {
  return text.size() <= columns ? text : text.substr(0, columns - 3) + "...";
}

std::string ms(const std::optional<double>& s) { return s ? fmt::format("{:.2f}", *s * 1e3) : "-"; }
std::string percent(const std::optional<double>& error) { return error ? fmt::format("{:+.2f} %", *error * 100) : "-"; }

std::string table_row(const char* words, const std::string& log, const std::string& joined, const std::string& delayed,
                      const std::string& error) {
  return fmt::format("  {:<24}{:>10}{:>17}{:>15}{:>11}\n", words, log, joined, delayed, error);
}

std::string load_text(const LoadComparison& l) {
  std::string out = fmt::format("\n{}: {} of {} steps equal\n", visible(l.name), l.equal, l.compared);
  if (l.unfinished > 0)
    out += fmt::format("  {} of {} requests have not ended by the end of the log\n", l.unfinished, l.requests);
  if (l.rejected > 0)
    out += fmt::format("  {} of {} requests are refused by the simulator: too long, or too large\n", l.rejected,
                       l.requests);
  if (l.first_difference) {
    out += fmt::format("  step {} is the first that differs:\n", l.first_difference->step);
    for (const Difference& d : l.first_difference->differences)
      out += fmt::format("    {:<18}log {:<21} simulated {}\n", d.what, cut(d.log, 21), cut(d.simulated, 24));
  }
  out += table_row("", "log", "joins as logged", "joins by call", "error");
  for (const Row& r : counts) {
    const auto log = r.count(l.log), delayed = r.count(l.delayed);
    const auto error = error_of(static_cast<double>(log), static_cast<double>(delayed));
    out += table_row(r.words, std::to_string(log), std::to_string(r.count(l.joined)), std::to_string(delayed),
                     percent(error));
  }
  for (const Latency& t : latencies)
    out += table_row(t.words, ms(l.log.*t.of), ms(l.joined.*t.of), ms(l.delayed.*t.of),
                     percent(error_of(l.log.*t.of, l.delayed.*t.of)));
  return out;
}

Json optional(const std::optional<double>& x) { return x ? Json(*x) : Json(nullptr); }

Json totals_json(const Totals& t) {
  Json out = Json::object();
  for (const Row& r : counts) out[r.key] = r.count(t);
  for (const Latency& l : latencies) out[fmt::format("{}_s", l.key)] = optional(t.*l.of);
  return out;
}

Json load_json(const LoadComparison& l) {
  Json out = {{"name", l.name}, {"requests", l.requests}, {"unfinished", l.unfinished}, {"rejected", l.rejected}};
  out["steps"] = {{"compared", l.compared}, {"equal", l.equal}};
  out["first_difference"] = nullptr;
  if (l.first_difference) {
    Json fields = Json::object();
    for (const Difference& d : l.first_difference->differences)
      fields[d.what] = {{"log", d.log}, {"simulated", d.simulated}};
    out["first_difference"] = {{"step", l.first_difference->step}, {"fields", std::move(fields)}};
  }
  out["log"] = totals_json(l.log);
  out["joined"] = totals_json(l.joined);
  out["delayed"] = totals_json(l.delayed);
  for (const Latency& t : latencies)
    out[fmt::format("{}_error", t.key)] = optional(error_of(l.log.*t.of, l.delayed.*t.of));
  return out;
}

/// Of the absolute errors.
Json median(const RunComparison& c, const Latency& t) {
  std::vector<double> errors;
  for (const LoadComparison& l : c.loads)
    if (const auto error = error_of(l.log.*t.of, l.delayed.*t.of)) errors.push_back(std::abs(*error));
  if (errors.empty()) return nullptr;
  std::sort(errors.begin(), errors.end());
  const std::size_t half = errors.size() / 2;
  return errors.size() % 2 == 1 ? errors[half] : (errors[half - 1] + errors[half]) / 2;
}
}  // namespace

std::string comparison_text(const RunComparison& c) {
  const Setup& s = c.setup;
  const auto named = [](const std::string& name) { return name.empty() ? "(not named)" : visible(name); };
  std::string out = fmt::format(
      "decisions of vLLM {} against the simulator's\n{} on {}, {} scheduling, prefix caching {}\n{} blocks of {} "
      "tokens; a step has at most {} requests and {} tokens\n",
      visible(s.release), named(s.model), named(s.hardware),
      s.scheduler.async_scheduling ? "asynchronous" : "synchronous", s.prefix_caching ? "on" : "off", s.blocks,
      s.block_size, s.scheduler.max_batch, s.scheduler.max_batched_tokens);
  out += fmt::format(
      "step times are the log's: prices are not judged\n"
      "joins as logged: requests join when they did; every step is compared\n"
      "joins by call: {} ms after the call; an idle engine wakes as in the log\n"
      "latencies: from the call to the update with the token; error: by call / log - 1\n",
      caller_delay_ns / 1'000'000);
  std::uint64_t compared = 0, equal = 0;
  for (const LoadComparison& l : c.loads) {
    out += load_text(l);
    compared += l.compared;
    equal += l.equal;
  }
  return out + fmt::format("\n{}: {} of {} steps of {} load{}\n", c.all_equal() ? "all equal" : "NOT EQUAL", equal,
                           compared, c.loads.size(), c.loads.size() == 1 ? "" : "s");
}

std::string comparison_json(const RunComparison& c) {
  const Setup& s = c.setup;
  Json out = {{"schema", "stowage.steps/1"},
              {"measured", c.folder},
              {"engine", "vllm-" + s.release},
              {"model", s.model},
              {"hardware", s.hardware},
              {"async_scheduling", s.scheduler.async_scheduling},
              {"prefix_caching", s.prefix_caching},
              {"pool_blocks", s.blocks},
              {"block_size", s.block_size},
              {"max_batch", s.scheduler.max_batch},
              {"max_batched_tokens", s.scheduler.max_batched_tokens},
              {"max_model_len", s.scheduler.max_model_len},
              {"caller_delay_s", static_cast<double>(caller_delay_ns) / 1e9},
              {"counters_equal", c.all_equal()}};
  Json loads = Json::array();
  for (const LoadComparison& l : c.loads) loads.push_back(load_json(l));
  out["loads"] = std::move(loads);
  Json medians = Json::object();
  for (const Latency& t : latencies) medians[fmt::format("{}_error", t.key)] = median(c, t);
  out["median"] = std::move(medians);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}
}  // namespace stowage::engine_steps
