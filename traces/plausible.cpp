// Numbers in a wrong unit look like any others. What no service has seen is told apart here.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "traces/at_once.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {
constexpr double trace_rate_max = 1'000, stated_rate_max = 100'000, rate_min = 1 / 86'400.0;  // requests a second
constexpr double span_max_s = 400 * 86'400.0;
constexpr double prompt_max = 1 << 21, prompt_mean_max = 1 << 18, prompt_mean_min = 4;  // tokens
constexpr double output_max = 1 << 18, output_mean_max = 1 << 15;
constexpr std::uint64_t enough_for_a_mean = 100;  // requests
constexpr std::uint64_t looked_at_max = 1'000;

constexpr std::array bounds = {
    PlausibleBound{"rate of a trace", "1,000 requests/s",
                   "the busiest published trace peaks at 583/s (ServeGen, m-large)", "times in a larger unit"},
    PlausibleBound{"rate of a trace, least", "1 request a day", "nothing is sized for less", "times in a smaller unit"},
    PlausibleBound{"rate written in a scenario", "100,000 requests/s",
                   "ChatGPT's 2.5 billion prompts a day are 29,000/s, over all its fleets",
                   "requests a minute or an hour"},
    PlausibleBound{"span of a trace", "400 days", "the longest published trace covers 121 (BurstGPT)",
                   "times in a smaller unit"},
    PlausibleBound{"longest prompt", "2,097,152 tokens",
                   "the longest context that a service has offered (Gemini 1.5 Pro)", "characters or bytes"},
    PlausibleBound{"prompts, mean", "262,144 tokens",
                   "agents that send all they have read come to 106,000 (kv-cache-tester)", "characters or bytes"},
    PlausibleBound{"prompts, mean, least", "4 tokens, of 100 requests and more",
                   "published traces have 124 and more; a greeting has 4", "thousands of tokens"},
    PlausibleBound{"longest output", "262,144 tokens", "services end an answer at 131,072 or before",
                   "characters or bytes"},
    PlausibleBound{"outputs, mean", "32,768 tokens", "reasoning models come to 1,524 (ServeGen, deepseek-r1)",
                   "characters or bytes"},
};

/// 9972058.3 -> "9,972,058"; below 100 three digits.
std::string number(double x) {
  if (x < 100) return fmt::format("{:.3g}", x);
  std::string out = fmt::format("{:.0f}", x);
  for (std::size_t i = out.size(); i > 3; i -= 3) out.insert(i - 3, 1, ',');
  return out;
}

struct Unit {
  double per_ns;
  std::string_view name;
};
constexpr std::array larger_units = {Unit{1e3, "microseconds"}, Unit{1e6, "milliseconds"}, Unit{1e9, "seconds"}};

struct Facts {
  double requests = 0, span_s = 0;
  double prompt_mean = 0, prompt_max = 0, output_mean = 0, output_max = 0;
};

/// "; are they milliseconds? Then it is 9.97/s": the first unit in which the rate is one that services see. What is
/// read as nanoseconds may be any of them; a rate too low says only that the unit is a smaller one.
std::string likely_unit(double rate) {
  for (const Unit& u : larger_units) {
    const bool high = rate > trace_rate_max;
    const double then = high ? rate / u.per_ns : rate * u.per_ns;
    if (then <= trace_rate_max && then >= rate_min)
      return high
                 ? fmt::format("; are they {}, not nanoseconds? Then it is {}/s", u.name, number(then))
                 : fmt::format("; are they in a unit {} times smaller? Then it is {}/s", number(u.per_ns),
                               number(then));
  }
  return "";
}

void check_times(const Facts& f, std::vector<std::string>& out) {
  if (f.requests < 2 || !(f.span_s > 0)) return;
  const double rate = f.requests / f.span_s;  // as TraceInfo has it
  if (rate > trace_rate_max)
    out.push_back(fmt::format("the times of the trace give {} requests/s, above {}: {}{}", number(rate),
                              bounds[0].limit, bounds[0].reason, likely_unit(rate)));
  else if (rate < rate_min)
    out.push_back(fmt::format("the times of the trace give one request in {} days: {}{}", number(1 / rate / 86'400),
                              bounds[1].reason, likely_unit(rate)));
  else if (f.span_s > span_max_s)
    out.push_back(fmt::format("the trace spans {} days, more than 400: {}; are its times in a smaller unit?",
                              number(f.span_s / 86'400), bounds[3].reason));
}

void check_lengths(const Facts& f, std::vector<std::string>& out) {
  const auto above = [&](double value, double limit, std::string_view what, const PlausibleBound& bound) {
    if (value > limit)
      out.push_back(fmt::format("{} {} tokens, above {}: {}; are they {}?", what, number(value), number(limit),
                                bound.reason, bound.likely));
    return value > limit;
  };
  if (!above(f.prompt_mean, prompt_mean_max, "the prompts have on average", bounds[5]))
    above(f.prompt_max, prompt_max, "the longest prompt has", bounds[4]);
  if (!above(f.output_mean, output_mean_max, "the outputs have on average", bounds[8]))
    above(f.output_max, output_max, "the longest output has", bounds[7]);
  if (f.prompt_mean < prompt_mean_min && f.requests >= static_cast<double>(enough_for_a_mean))
    out.push_back(fmt::format("the prompts have on average {} tokens, below {}: {}; are they {}?",
                              number(f.prompt_mean), number(prompt_mean_min), bounds[6].reason, bounds[6].likely));
}
}  // namespace

std::span<const PlausibleBound> plausible_bounds() { return bounds; }

std::vector<std::string> implausible(const TraceLedger& ledger) {
  std::vector<std::string> out;
  if (ledger.kept == 0) return out;
  Facts f;
  f.requests = static_cast<double>(ledger.kept);
  f.span_s = static_cast<double>(ledger.last_ns - ledger.first_ns) * 1e-9;
  f.prompt_mean = static_cast<double>(ledger.prompt_sum) / f.requests;
  f.output_mean = static_cast<double>(ledger.output_sum) / f.requests;
  f.prompt_max = ledger.prompt_max;
  f.output_max = ledger.output_max;
  check_times(f, out);
  check_lengths(f, out);
  return out;
}

std::vector<std::string> implausible(const Workload& workload) {
  Facts f;
  std::vector<Request> batch(1000);
  std::int64_t first_ns = 0, last_ns = 0;
  AtOnce stream(workload);
  std::size_t n = 0;
  while (f.requests < static_cast<double>(looked_at_max) && (n = stream.read(batch)) > 0)
    for (const Request& r : std::span(batch).first(n)) {
      if (f.requests == 0) first_ns = r.arrival_ns;
      last_ns = r.arrival_ns;
      f.requests += 1;
      f.prompt_mean += r.prompt_tokens;
      f.output_mean += r.output_tokens;
      f.prompt_max = std::max<double>(f.prompt_max, r.prompt_tokens);
      f.output_max = std::max<double>(f.output_max, r.output_tokens);
    }
  std::vector<std::string> out;
  if (f.requests == 0) return out;
  f.prompt_mean /= f.requests;
  f.output_mean /= f.requests;
  f.span_s = static_cast<double>(last_ns - first_ns) * 1e-9;
  const double rate = f.span_s > 0 ? f.requests / f.span_s : 0;
  if (f.requests >= static_cast<double>(enough_for_a_mean) && rate > stated_rate_max)
    out.push_back(fmt::format("the workload has {} requests/s, above {}: {}; is it a rate of {}?", number(rate),
                              bounds[2].limit, bounds[2].reason, bounds[2].likely));
  check_lengths(f, out);
  return out;
}
}  // namespace stowage
