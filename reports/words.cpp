#include "reports/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "reports/metrics.hpp"
#include "reports/text.hpp"

namespace stowage::words {
namespace {
std::vector<std::string> names(const ReportInput& input, const std::vector<std::size_t>& indices) {
  std::vector<std::string> out;
  for (const std::size_t i : indices) out.push_back(input.runs[i].name);
  if (out.size() > 4) {
    const std::size_t more = out.size() - 3;
    out.resize(3);
    out.push_back(fmt::format("{} more", more));
  }
  return out;
}

/// A p99 rests on one request in a hundred: over six seeds of the shipped conversation scenario it spread over 9 %, and
/// the order of managers 1 % apart changed. Below this no manager is said to answer first.
constexpr double p99_tolerance = 0.05;

template <class Value>
Ranking rank_runs(const ReportInput& input, Value value, Better better, double tolerance = 0.01) {
  std::vector<double> values;
  for (const RunResult& run : input.runs) values.push_back(value(run));
  return rank(values, better, tolerance);
}

std::string all(const ReportInput& input) {
  static constexpr std::string_view small[] = {"", "", "Both managers", "All three managers", "All four managers"};
  const std::size_t n = input.runs.size();
  return n < std::size(small) ? std::string(small[n]) : fmt::format("All {} managers", n);
}

/// "paged-16 serves most" / "paged-16 and vattention-2MiB serve most".
std::string subject(const ReportInput& input, const std::vector<std::size_t>& indices, std::string_view one,
                    std::string_view many) {
  return text::list(names(input, indices)) + " " + std::string(indices.size() == 1 ? one : many);
}

double requests_per_s(const RunResult& r) { return rate_or_nothing(r, r.requests_per_s()); }
double ttft_p99(const RunResult& r) { return ttft.quantile_ns(r, 0.99); }

std::string single(const RunResult& run) {
  return fmt::format("{} serves {} requests/s ({} output tokens/s) with p99 TTFT {}; {} of the KV pool is lost.",
                     run.name, text::number(requests_per_s(run)),
                     text::number(rate_or_nothing(run, run.output_tokens_per_s())),
                     text::duration(ttft_p99(run)), text::percent(lost_fraction(run)));
}

/// Throughput first; where it is alike, the first token decides; where that is alike too, they are alike.
std::string comparison(const ReportInput& input) {
  const Ranking rate = rank_runs(input, requests_per_s, Better::higher);
  const Ranking first = rank_runs(input, ttft_p99, Better::lower, p99_tolerance);
  if (!rate.alike) {
    const std::string more = rate.worst > 0 ? text::times(rate.best / rate.worst) + " " : "against ";
    return fmt::format("{}: {} requests/s, {}{} ({}).", subject(input, rate.best_runs, "serves most", "serve most"),
                       text::number(rate.best), more, text::list(names(input, rate.worst_runs)),
                       text::number(rate.worst));
  }
  if (!first.alike) {
    return fmt::format("{} serve {} requests/s; {} first: p99 TTFT {} against {} under {}.", all(input),
                       text::number(rate.best), subject(input, first.best_runs, "answers", "answer"),
                       text::duration(first.best), text::duration(first.worst),
                       text::list(names(input, first.worst_runs)));
  }
  return fmt::format("{} serve this traffic alike: {} requests/s within 1 %, p99 TTFT {} within 5 %.", all(input),
                     text::number(rate.best), text::duration(first.best));
}

std::string first_token(const ReportInput& input) {
  const Ranking first = rank_runs(input, ttft_p99, Better::lower, p99_tolerance);
  if (first.alike) return fmt::format("p99 TTFT is alike: {}.", text::duration(first.best));
  if (first.best_runs == first.worst_runs)  // the others served nobody
    return fmt::format("p99 TTFT is {} under {}.", text::duration(first.best),
                       text::list(names(input, first.best_runs)));
  return fmt::format("p99 TTFT is lowest under {} ({}) and highest under {} ({}).",
                     text::list(names(input, first.best_runs)), text::duration(first.best),
                     text::list(names(input, first.worst_runs)), text::duration(first.worst));
}

std::string least_lost(const ReportInput& input) {
  const Ranking lost = rank_runs(input, lost_fraction, Better::lower);
  if (lost.worst - lost.best < 0.005) {
    return fmt::format("Memory lost is alike: at most {} of the KV pool.", text::percent(lost.worst));
  }
  return fmt::format("{} least memory: {} of the KV pool on average; {} most: {}.",
                     subject(input, lost.best_runs, "loses", "lose"), text::percent(lost.best),
                     subject(input, lost.worst_runs, "loses", "lose"), text::percent(lost.worst));
}

struct SloSentence {
  Verdict verdict;
  std::string text;
};
/// "3 of 10 requests rejected", of the run with most; empty when all were served.
std::string unserved(const ReportInput& input) {
  const RunResult& most = *std::ranges::max_element(input.runs, {}, &RunResult::unserved);
  if (most.unserved() == 0) return "";
  const bool same = std::ranges::all_of(input.runs, [&](const auto& r) { return r.unserved() == most.unserved(); });
  return fmt::format("{}{} of {} {}", same ? "" : "up to ", text::count(most.unserved()),
                     text::plural(most.submitted, "request"), most.unfinished == 0 ? "rejected" : "not served");
}

/// The first sentence says how many had no part in it, and which managers served nobody.
std::string with_unserved(const ReportInput& input, std::string sentence) {
  std::vector<std::size_t> idle;
  for (std::size_t i = 0; i < input.runs.size(); ++i)
    if (input.runs[i].completed == 0) idle.push_back(i);
  if (const std::string who = unserved(input); !who.empty()) {
    sentence.pop_back();  // the full stop
    sentence += ", with " + who + ".";
  }
  return idle.empty() ? sentence : sentence + " " + subject(input, idle, "serves no request.", "serve no request.");
}

SloSentence slo(const ReportInput& input) {
  std::vector<std::size_t> met, missed;
  for (std::size_t i = 0; i < input.runs.size(); ++i) {
    (slo_met(input.slo, input.runs[i]) ? met : missed).push_back(i);
  }
  const bool one = input.runs.size() == 1;
  const std::string& name = input.runs[0].name;
  if (missed.empty()) return {Verdict::pass, one ? name + " meets the SLO." : all(input) + " meet the SLO."};
  if (met.empty()) return {Verdict::fail, one ? name + " misses the SLO." : "No manager meets the SLO."};
  return {Verdict::mixed,
          subject(input, met, "meets the SLO, ", "meet the SLO, ") + subject(input, missed, "does not.", "do not.")};
}
}  // namespace

Headline headline(const ReportInput& input) {
  Headline out;
  if (input.runs.empty()) {
    out.sentence = "Nothing was run.";
    return out;
  }
  const bool none_completed = std::ranges::all_of(input.runs, [](const RunResult& r) { return r.completed == 0; });
  if (!input.slo.empty()) {
    const SloSentence s = slo(input);
    out.verdict = s.verdict;
    out.sentence = with_unserved(input, s.text);
  }
  if (none_completed) {
    out.sentence = "No request is served: " + why_none(input.runs.front()) + ".";
    return out;
  }
  const std::string compared = input.runs.size() == 1 ? single(input.runs[0]) : comparison(input);
  if (out.sentence.empty())
    out.sentence = with_unserved(input, compared);
  else
    out.reasons.push_back(compared);
  if (input.runs.size() > 1) {
    if (!rank_runs(input, requests_per_s, Better::higher).alike) out.reasons.push_back(first_token(input));
    out.reasons.push_back(least_lost(input));
  }
  return out;
}

std::string two_percentiles(const ReportInput& input) {
  const auto differ = [](const RunResult& r) { return 0 < r.completed && r.completed < r.submitted; };
  if (input.slo.empty() || std::ranges::none_of(input.runs, differ)) return "";
  return "The SLO counts requests that are not served as missed; all other latencies are of the served.";
}

std::string why_none(const RunResult& run) {
  if (run.first_rejected.empty())
    return fmt::format("{} submitted, {} rejected, {} unfinished", text::count(run.submitted),
                       text::count(run.rejected), text::count(run.unfinished));
  const RejectedRequest& first = run.first_rejected.front();
  const auto alike = [&](const RejectedRequest& r) { return r.reason == first.reason; };
  const bool all = run.rejected == run.submitted && run.rejected == run.first_rejected.size() &&
                   std::ranges::all_of(run.first_rejected, alike);
  return fmt::format("{} submitted, {} rejected; {} of {} + {} tokens, is {}", text::count(run.submitted),
                     text::count(run.rejected), all ? "each, as the first" : "the first",
                     text::count(static_cast<std::uint64_t>(first.prompt_tokens)),
                     text::count(static_cast<std::uint64_t>(first.output_tokens)), first.reason);
}

std::string memory_over_time(const RunResult& run) {
  if (run.series.empty()) return "Nothing was recorded: no request ran.";
  double waiting = 0;
  for (const SeriesPoint& p : run.series) waiting = std::max(waiting, p.waiting);
  const double pool = static_cast<double>(std::max<std::int64_t>(run.pool_bytes, 1));
  return fmt::format(
      "Requests held at most {} of the {} pool ({}) and filled {} of it at most; on average {} was live and {} lost. "
      "Up to {} ran at once; {}.",
      text::bytes(static_cast<double>(run.peak_committed_bytes)), text::bytes(static_cast<double>(run.pool_bytes)),
      text::percent(static_cast<double>(run.peak_committed_bytes) / pool),
      text::percent(static_cast<double>(run.peak_live_bytes) / pool), text::percent(run.mean_fraction[0]),
      text::percent(lost_fraction(run)), text::count(static_cast<std::uint64_t>(run.batch_max)),
      waiting > 0 ? "the queue reached " + text::number(std::ceil(waiting)) : std::string("nothing waited"));
}

std::string waste(const ReportInput& input) {
  if (input.runs.empty()) return "Nothing was run.";
  if (input.runs.size() == 1) {
    return fmt::format("{} loses {} of the KV pool on average.", input.runs[0].name,
                       text::percent(lost_fraction(input.runs[0])));
  }
  return least_lost(input);
}

std::string distribution(const ReportInput& input, const Latency& latency) {
  const auto measured = [&](const RunResult& r) { return latency.of(r).count() > 0; };
  if (std::ranges::none_of(input.runs, measured)) return "Nothing to measure.";
  const auto range = [&](double q) {
    const Ranking r = rank_runs(
        input, [&](const RunResult& run) { return measured(run) ? latency.quantile_ns(run, q) : NAN; }, Better::lower);
    if (input.runs.size() == 1) return text::duration(r.best);
    if (r.alike) return text::duration(r.best) + " under every manager";
    return fmt::format("{} ({}) to {} ({})", text::duration(r.best), text::list(names(input, r.best_runs)),
                       text::duration(r.worst), text::list(names(input, r.worst_runs)));
  };
  return fmt::format("Half of the {} within {}; 99 % within {}.", latency.things, range(0.5), range(0.99));
}

std::string budget(const ReportInput& input) {
  if (input.budget.empty()) return input.kv_line;
  double total = 0, pool = 0;
  for (const BudgetPart& part : input.budget) {
    total += static_cast<double>(part.bytes);
    if (part.is_kv_pool) pool += static_cast<double>(part.bytes);
  }
  return fmt::format("{} of each GPU's {} ({}) is left for KV cache.", text::bytes(pool), text::bytes(total),
                     text::percent(total > 0 ? pool / total : 0));
}

std::string evidence(Evidence evidence) {
  switch (evidence) {
    case Evidence::measured:
      return "measured";
    case Evidence::scaled:
      return "scaled from a measured profile";
    case Evidence::published:
      return "published measurements";
    case Evidence::engine_log:
      return "fitted to an engine's log";
    case Evidence::roofline:
      return "roofline, not calibrated";
    case Evidence::linear:
      return "linear, coefficients given by the user";
  }
  STOWAGE_ASSERT(false);
  return {};
}
}  // namespace stowage::words
