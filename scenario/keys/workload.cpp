// Keys of `workload`: a trace, requests written out, or a synthetic generator.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "scenario/keys/tables.hpp"

namespace stowage::keys {
namespace {
constexpr std::int64_t count_max = 1'000'000'000'000, groups_max = 1'000'000'000, repeat_max = 1'000'000'000;
constexpr double arrival_ns_max = 30 * 365.25 * 86400e9;  // 30 years: sums stay far from the end of the clock

/// The member of a trace's options; nothing while the workload is of another kind.
template <auto Member>
auto of_trace(WorkloadSpec& w) {
  auto* trace = std::get_if<TraceOptions>(&w.source);
  return trace != nullptr ? &(trace->*Member) : nullptr;
}

template <class Names>
std::vector<std::string_view> views(const Names& names) {
  return {names.begin(), names.end()};
}

std::vector<std::string_view> preset_names() {
  std::vector<std::string_view> out;
  for (const auto& preset : synthetic_presets()) out.push_back(preset.name);
  return out;
}

Value quantiles_text(const LengthSpec& s) {
  if (s.kind != LengthKind::quantiles) return {};
  std::vector<std::string> pairs;
  for (const auto& [share, tokens] : s.quantiles) pairs.push_back(fmt::format("[{}, {}]", share, tokens));
  return fmt::format("[{}]", fmt::join(pairs, ", "));
}

template <LengthKind Kind>
std::vector<Item> of_kind(const LengthSpec& s) {
  if (s.kind != Kind) return {};
  return {{Kind == LengthKind::uniform ? &uniform_keys() : &lognormal_keys(), &s}};
}

Value hashes_text(const InlineRequests& r) {
  return r.hashes.empty() ? Value{} : fmt::format("[{}]", fmt::join(r.hashes, ", "));
}

Form length_form() { return map(length_keys()).or_else(count(1, max_length_tokens)); }
}  // namespace

const TableOf<LengthSpec>& uniform_keys() {
  using L = LengthSpec;
  static const TableOf<L> table("every length between two is as likely",
                                {{"min", count(1, max_length_tokens), "tokens", &L::min, {.required = true}},
                                 {"max", count(1, max_length_tokens), "tokens", &L::max, {.required = true}}});
  return table;
}

const TableOf<LengthSpec>& lognormal_keys() {
  using L = LengthSpec;
  constexpr std::string_view two = "two of mean, p50 and sigma are given";
  static const TableOf<L> table(
      "two of `mean`, `p50` and `sigma`, clipped to `min` and `max`",
      {{"mean", number(1e-9, 1e12), "tokens, before clipping", &L::mean, {.absent = two}},
       {"p50", number(1e-9, 1e12), "tokens", &L::p50, {.absent = two}},
       {"sigma", number(0, 10), "of the logarithm of the length", &L::sigma, {.absent = two}},
       {"min", count(1, max_length_tokens), "tokens", &L::min},
       {"max", count(1, max_length_tokens), "tokens", &L::max}});
  return table;
}

const TableOf<LengthSpec>& length_keys() {
  using L = LengthSpec;
  static const TableOf<L> table = [] {
    const auto fixed = [](L& s) { return s.kind == LengthKind::fixed ? &s.value : nullptr; };
    TableOf<L> out("a distribution of lengths; a number alone is `fixed`",
                   {{"fixed", count(1, max_length_tokens), "tokens of every request", fixed, {.absent = "none"}},
                    {"uniform", map(uniform_keys()), "every length between two is as likely",
                     Nested<L>{of_kind<LengthKind::uniform>}},
                    {"lognormal", map(lognormal_keys()), "a skewed distribution with a long tail",
                     Nested<L>{of_kind<LengthKind::lognormal>}},
                    {"quantiles", pairs(),
                     "pairs of a share and a length, the share rising from 0 to 1", Own<L>{quantiles_text, nullptr},
                     {.absent = "none"}}});
    out.exactly_one = {"fixed", "uniform", "lognormal", "quantiles"};
    return out;
  }();
  return table;
}

const TableOf<SyntheticSpec>& prefix_keys() {
  using S = SyntheticSpec;
  static const TableOf<S> table(
      "tokens in front of every prompt, besides its own, which prompts have in common",
      {{"tokens", count(1, max_length_tokens - 1), "of a prefix", &S::prefix_tokens, {.required = true}},
       {"groups", count(1, groups_max), "how many prefixes there are; a request has each as likely",
        &S::prefix_groups}});
  return table;
}

const TableOf<SyntheticSpec>& synthetic_keys() {
  using S = SyntheticSpec;
  static const TableOf<S> table = [] {
    constexpr std::string_view preset = "the preset's; required without one";
    TableOf<S> out(
        "requests that are drawn",
        {{"preset", one_of(preset_names()), "takes all below from a published trace; what is given goes before it",
          Own<S>{nullptr, [](S& s, const Value& v) { s = find_synthetic_preset(std::get<std::string>(v))->make(); }},
          {.absent = "none"}},
         {"arrivals", one_of(views(arrival_kind_names)),
          "`burst`: all at once; `closed`: when an earlier one has ended", &S::arrivals,
          {.absent = "poisson, or the preset's"}},
         {"rate", rate(1e-9, 1e9), "mean arrivals a second; not used by `burst` and `closed`", &S::rate_per_s,
          {.absent = preset, .written = [](const S& s) { return s.arrivals != ArrivalKind::closed; }}},
         {"concurrency", count(1, count_max), "requests under way at a time, of `closed` only", &S::concurrency,
          {.absent = "required with `closed`",
           .written = [](const S& s) { return s.arrivals == ArrivalKind::closed; }}},
         {"think", duration(0, arrival_ns_max), "from an end to the next request, of `closed` only", &S::think_ns,
          {.written = [](const S& s) { return s.arrivals == ArrivalKind::closed; }}},
         {"cv", number(0.01, 100), "coefficient of variation of the gaps, of `gamma` only", &S::cv,
          {.absent = "1, or the preset's",
           .written = [](const S& s) { return s.arrivals == ArrivalKind::gamma; }}},
         {"count", count(1, count_max), "requests", &S::count, {.absent = preset}},
         {"prompt", length_form(), "tokens of a prompt",
          Nested<S>{[](const S& s) { return std::vector<Item>{{&length_keys(), &s.prompt}}; }}, {.absent = preset}},
         {"output", length_form(), "tokens of an output",
          Nested<S>{[](const S& s) { return std::vector<Item>{{&length_keys(), &s.output}}; }}, {.absent = preset}},
         {"prefix", map(prefix_keys()), "what prompts begin with", Nested<S>{[](const S& s) {
            return s.prefix_tokens > 0 ? std::vector<Item>{{&prefix_keys(), &s}} : std::vector<Item>{};
          }}}});
    out.block = true;
    return out;
  }();
  return table;
}

const TableOf<InlineRequests>& request_keys() {
  using R = InlineRequests;
  static const TableOf<R> table("requests that are alike",
                                {{"at", duration(0, arrival_ns_max), "arrival", &R::at_ns},
                                 {"prompt", count(1, max_length_tokens), "tokens", &R::prompt, {.required = true}},
                                 {"output", count(1, max_length_tokens), "tokens", &R::output, {.required = true}},
                                 {"count", count(1, inline_requests_max), "how many of them", &R::count},
                                 {"hashes", ids(),
                                  "of the prompt's leading blocks: equal numbers stand for equal tokens",
                                  Own<R>{hashes_text, nullptr}, {.absent = "none"}},
                                 {"stop_at", count(1, max_length_tokens),
                                  "ends by itself with this output token, which the engine does not know before",
                                  &R::stop_at, {.absent = "the last of `output`"}},
                                 {"session", text(),
                                  "requests of one session are its turns, in the order of the list: a turn's prompt "
                                  "begins with the prompt and the answer of the turn before, and comes no earlier",
                                  &R::session, {.absent = "none"}},
                                 {"think", duration(0, arrival_ns_max), "from the end of the turn before", &R::think_ns,
                                  {.needs = "session", .written = [](const R& r) { return !r.session.empty(); }}}});
  return table;
}

const TableOf<WorkloadSpec>& workload_keys() {
  using W = WorkloadSpec;
  static const TableOf<W> table = [] {
    TableOf<W> out(
        "the requests: exactly one of `trace`, `requests` and `synthetic`",
        {{"trace", path(), "a trace file; its header tells the format", of_trace<&TraceOptions::path>,
          {.absent = "none"}},
         {"rate_scale", number(1e-6, 1e6), "arrival times are divided by it: 2 = twice the load", &W::rate_scale},
         {"limit", count(0, count_max), "only the first rows of the trace; 0 = all", of_trace<&TraceOptions::limit>,
          {.needs = "trace"}},
         {"repeat", count(1, repeat_max), "copies of the trace, one after another", of_trace<&TraceOptions::repeat>,
          {.needs = "trace"}},
         {"max_concurrency", count(1, count_max),
          "requests under way at a time: who arrives and finds as many waits outside", &W::max_concurrency,
          {.absent = "no limit"}},
         {"hash_block_size", count(1, max_length_tokens),
          "tokens that one hash stands for, of traces and requests with hashes and of prefixes", &W::hash_block_size,
          {.absent = "as the trace's format says, else 16"}},
         {"requests", list({&request_keys()}), "requests written out", Nested<W>{[](const W& w) {
            std::vector<Item> items;
            if (const auto* groups = std::get_if<std::vector<InlineRequests>>(&w.source))
              for (const auto& group : *groups) items.emplace_back(&request_keys(), &group);
            return items;
          }}},
         {"synthetic", map(synthetic_keys()), "requests that are drawn", Nested<W>{[](const W& w) {
            const auto* spec = std::get_if<SyntheticSpec>(&w.source);
            return spec != nullptr ? std::vector<Item>{{&synthetic_keys(), spec}} : std::vector<Item>{};
          }}}},
        W{});
    out.block = true;
    out.exactly_one = {"trace", "requests", "synthetic"};
    return out;
  }();
  return table;
}
}  // namespace stowage::keys
