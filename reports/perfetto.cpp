#include "reports/perfetto.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reports/run_page.hpp"

namespace stowage {
namespace {
constexpr int iterations_track = 1, mapper_track = 2, first_request_track = 10;

std::string json_text(const std::string& text) {
  using Json = nlohmann::json;
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}
double us(std::int64_t ns) { return static_cast<double>(ns) / 1e3; }

class Events {
 public:
  void name(std::string_view what, std::size_t pid, int tid, const std::string& text) {
    add(R"({{"ph":"M","name":"{}","pid":{},"tid":{},"args":{{"name":{}}}}})", what, pid, tid, json_text(text));
  }
  /// `args` is JSON.
  void slice(std::string_view name, std::size_t pid, int tid, std::int64_t from_ns, std::int64_t ns,
             const std::string& args) {
    add(R"({{"ph":"X","name":"{}","pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f},"args":{}}})", name, pid, tid, us(from_ns),
        us(ns), args);
  }
  void counter(std::string_view name, std::size_t pid, std::int64_t at_ns, const std::string& values) {
    add(R"({{"ph":"C","name":"{}","pid":{},"ts":{:.3f},"args":{}}})", name, pid, us(at_ns), values);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  template <class... A>
  void add(fmt::format_string<A...> form, A&&... args) {
    if (!text_.empty()) text_ += ",\n";
    fmt::format_to(std::back_inserter(text_), form, std::forward<A>(args)...);
  }
  std::string text_;
};

void iterations(Events& events, std::size_t pid, const RunTrace& trace) {
  std::uint64_t index = 0;
  for (const TracedIteration& t : trace.iterations) {
    events.slice(
        "iteration", pid, iterations_track, t.start_ns, t.stall_ns + t.step_ns,
        fmt::format(R"({{"index":{},"prefill_tokens":{},"decode_requests":{},"pages_mapped":{},"pages_unmapped":{}}})",
                    index++, t.prefill_tokens, t.decode_seqs, t.pages_mapped, t.pages_unmapped));
    if (t.stall_ns > 0) events.slice("stall on mapping", pid, iterations_track, t.start_ns, t.stall_ns, "{}");
    if (t.mapper_ns > 0) {
      events.slice("map ahead", pid, mapper_track, t.start_ns + t.stall_ns, t.mapper_ns,
                   fmt::format(R"({{"pages_mapped":{},"pages_unmapped":{}}})", t.pages_mapped, t.pages_unmapped));
    }
    events.counter(
        "KV memory, MiB", pid, t.start_ns,
        fmt::format(R"({{"live":{:.1f},"held, empty":{:.1f},"cached":{:.1f}}})", double(t.live_bytes) / (1 << 20),
                    double(t.held_bytes - t.live_bytes) / (1 << 20), double(t.cached_bytes) / (1 << 20)));
    events.counter("requests", pid, t.start_ns, fmt::format(R"({{"running":{},"waiting":{}}})", t.running, t.waiting));
  }
}

/// Each request on the first track that is free when it arrives.
void requests(Events& events, std::size_t pid, const RunTrace& trace) {
  std::vector<const RequestTrace*> order;
  for (const RequestTrace& r : trace.requests) {
    if (!r.spans.empty()) order.push_back(&r);
  }
  std::ranges::stable_sort(order, {}, [](const RequestTrace* r) { return r->spans.front().from_ns; });
  std::vector<std::int64_t> busy_until;
  for (const RequestTrace* r : order) {
    const auto free = std::ranges::find_if(busy_until, [&](std::int64_t t) { return t <= r->spans.front().from_ns; });
    const int tid = first_request_track + static_cast<int>(free - busy_until.begin());
    if (free == busy_until.end()) {
      events.name("thread_name", pid, tid, fmt::format("requests {}", busy_until.size() + 1));
      busy_until.push_back(r->spans.back().to_ns);
    } else {
      *free = r->spans.back().to_ns;
    }
    events.slice(
        fmt::format("request {}", r->id), pid, tid, r->spans.front().from_ns,
        r->spans.back().to_ns - r->spans.front().from_ns,
        fmt::format(R"({{"id":{},"prompt_tokens":{},"output_tokens":{}}})", r->id, r->prompt_tokens, r->output_tokens));
    for (const PhaseSpan& s : r->spans) {
      events.slice(phase_names[static_cast<std::size_t>(s.phase)], pid, tid, s.from_ns, s.to_ns - s.from_ns,
                   s.stalled_ns > 0 ? fmt::format(R"({{"stalled_us":{:.3f}}})", us(s.stalled_ns)) : "{}");
    }
  }
}
}  // namespace

std::string to_perfetto(const ReportInput& input) {
  Events events;
  std::string left_out;
  for (std::size_t i = 0; i < std::min(input.runs.size(), max_charted); ++i) {
    const RunResult& run = input.runs[i];
    if (!run.trace) continue;
    const std::size_t pid = i + 1;
    events.name("process_name", pid, 0, run.name);
    events.name("thread_name", pid, iterations_track, "iterations");
    events.name("thread_name", pid, mapper_track, "mapper");
    iterations(events, pid, *run.trace);
    requests(events, pid, *run.trace);
    left_out += fmt::format("{}{}: {} of {} iterations, {} of {} requests", left_out.empty() ? "" : "; ", run.name,
                            run.trace->iterations.size(), run.iterations, run.trace->requests.size(), run.completed);
  }
  return "{\"displayTimeUnit\":\"ms\",\n\"otherData\":{\"title\":" + json_text(input.title) +
         ",\"version\":" + json_text(input.version) + ",\"recorded\":" + json_text(left_out) +
         "},\n\"traceEvents\":[\n" + events.take() + "\n]}\n";
}
}  // namespace stowage
