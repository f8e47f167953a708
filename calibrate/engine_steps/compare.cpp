#include "calibrate/engine_steps/compare.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>

#include "calibrate/engine_steps/replay.hpp"

namespace stowage::engine_steps {
namespace {

/// What a step admits: the first rows of requests that are not resident.
struct Admitted {
  std::vector<std::size_t> requests;
  std::int64_t hit_tokens = 0, resumed_hit_tokens = 0;
};

std::vector<Admitted> admissions_of(const std::vector<LoggedStep>& steps, std::size_t requests) {
  std::vector<bool> resident(requests), seen(requests);
  std::vector<Admitted> out;
  for (const LoggedStep& s : steps) {
    Admitted a;
    for (const std::size_t r : s.preempted) resident[r] = false;
    for (const PromptRow& row : s.prompts) {
      if (resident[row.request]) continue;
      a.requests.push_back(row.request);
      (seen[row.request] ? a.resumed_hit_tokens : a.hit_tokens) += row.before;
      resident[row.request] = seen[row.request] = true;
    }
    out.push_back(std::move(a));
  }
  return out;
}

struct Mean {
  double sum_ns = 0, count = 0;
  void add(double ns) {
    sum_ns += ns;
    count += 1;
  }
  [[nodiscard]] std::optional<double> seconds() const {
    return count > 0 ? std::optional(sum_ns / count / 1e9) : std::nullopt;
  }
};

Totals totals_of(const LoggedLoad& load, const std::vector<LoggedStep>& steps, const std::vector<Served>& served,
                 const std::vector<Served>& others) {
  Totals out;
  out.steps = steps.size();
  for (const LoggedStep& s : steps) out.preemptions += s.preempted.size();
  for (const Admitted& a : admissions_of(steps, load.requests.size())) {
    out.hit_tokens += a.hit_tokens;
    out.resumed_hit_tokens += a.resumed_hit_tokens;
  }
  Mean ttft, tpot, e2e;
  for (std::size_t r = 0; r < served.size(); ++r) {
    if (!served[r].last_ns || !others[r].last_ns) continue;
    const LoggedRequest& q = load.requests[r];
    const std::int64_t first = *served[r].first_ns, last = *served[r].last_ns;
    ttft.add(static_cast<double>(first - q.arrival_ns));
    e2e.add(static_cast<double>(last - q.arrival_ns));
    if (q.output_tokens > 1) tpot.add(static_cast<double>(last - first) / (q.output_tokens - 1));
  }
  out.ttft_s = ttft.seconds();
  out.tpot_s = tpot.seconds();
  out.e2e_s = e2e.seconds();
  return out;
}

/// One step as it is told where it differs.
class Told {
 public:
  Told(const LoggedLoad& load, const LoggedStep& step, const Admitted& admitted)
      : load_(load), step_(step), admitted_(admitted) {}
  [[nodiscard]] std::vector<std::string> values() const {
    const LoggedStep& s = step_;
    std::vector<std::string> rows;
    for (const PromptRow& r : s.prompts)
      rows.push_back(fmt::format("{}:{}+{}/{}", load_.requests[r.request].id, r.before, r.tokens, r.known));
    const auto n = [](std::int64_t x) { return std::to_string(x); };
    return {ids(admitted_.requests), n(s.tokens), n(s.decodes), n(s.decode_context),
            n(admitted_.hit_tokens + admitted_.resumed_hit_tokens), ids(s.preempted), n(s.free_blocks), n(s.running),
            n(s.waiting), listed(rows)};
  }
  static constexpr std::array names = {"admitted",     "scheduled tokens", "decodes", "decode context", "hit tokens",
                                       "preempted",    "free blocks",      "running", "waiting",        "prefills"};

 private:
  [[nodiscard]] std::string ids(const std::vector<std::size_t>& requests) const {
    std::vector<std::string> out;
    for (const std::size_t r : requests) out.push_back(std::to_string(load_.requests[r].id));
    return listed(out);
  }
  static std::string listed(const std::vector<std::string>& all) {
    return all.empty() ? "none" : fmt::format("{}", fmt::join(all, " "));
  }
  const LoggedLoad& load_;
  const LoggedStep& step_;
  const Admitted& admitted_;
};

bool equal(const LoggedStep& a, const LoggedStep& b) {
  return a.tokens == b.tokens && a.decodes == b.decodes && a.decode_context == b.decode_context &&
         a.running == b.running && a.waiting == b.waiting && a.free_blocks == b.free_blocks &&
         a.preempted == b.preempted && a.prompts == b.prompts;
}

/// Every step of the log against the simulated one of the same number.
void compare(const LoggedLoad& load, const std::vector<LoggedStep>& simulated, bool whole, LoadComparison& out) {
  const std::size_t n = load.requests.size();
  const auto logs = admissions_of(load.steps, n), ours = admissions_of(simulated, n);
  const LoggedStep nothing;
  const Admitted nobody;
  out.compared = whole ? std::max(load.steps.size(), simulated.size()) : load.steps.size();
  for (std::size_t k = 0; k < out.compared; ++k) {
    const bool logged = k < load.steps.size(), made = k < simulated.size();
    if (logged && made && equal(load.steps[k], simulated[k])) {
      ++out.equal;
      continue;
    }
    if (out.first_difference) continue;
    auto& first = out.first_difference.emplace();
    first.step = static_cast<std::uint64_t>(load.first_step) + k;
    const auto a = Told(load, logged ? load.steps[k] : nothing, logged ? logs[k] : nobody).values();
    const auto b = Told(load, made ? simulated[k] : nothing, made ? ours[k] : nobody).values();
    for (std::size_t i = 0; i < a.size(); ++i)
      if (a[i] != b[i])
        first.differences.push_back({Told::names[i], logged ? a[i] : "no step", made ? b[i] : "no step"});
  }
}

/// A request that joins `delay_ns` after its call has so much less to wait for the first batch of an idle engine.
std::vector<StepTime> woken_after(std::vector<StepTime> times, std::int64_t delay_ns) {
  for (StepTime& t : times) t.waking_ns = std::max<std::int64_t>(0, t.waking_ns - delay_ns);
  return times;
}

std::vector<Timeline::Joined> after_delay(const LoggedLoad& load) {
  std::vector<Timeline::Joined> out;
  for (std::size_t r = 0; r < load.requests.size(); ++r)
    out.push_back({r, load.requests[r].arrival_ns + caller_delay_ns});
  std::stable_sort(out.begin(), out.end(),
                   [](const Timeline::Joined& a, const Timeline::Joined& b) { return a.at_ns < b.at_ns; });
  return out;
}

LoadComparison compare_load(const Setup& setup, const LoggedLoad& load) {
  LoadComparison out;
  out.name = load.name;
  out.requests = load.requests.size();
  const Timeline log = timeline_of(load, setup.scheduler.async_scheduling);
  for (const Served& s : log.served) out.unfinished += s.last_ns ? 0 : 1;
  // Of a log that was cut off, what would come after it is of no use.
  const std::size_t most = out.unfinished > 0 ? load.steps.size() : std::numeric_limits<std::size_t>::max();
  constexpr std::int64_t endless = std::numeric_limits<std::int64_t>::max();  // it joins when the batch is formed
  const Replay joined = replay(setup, load, log.joined, woken_after(log.times, endless), most);
  const Replay delayed = replay(setup, load, after_delay(load), woken_after(log.times, caller_delay_ns), most);
  out.rejected = delayed.rejected;
  compare(load, joined.steps, out.unfinished == 0, out);
  out.log = totals_of(load, load.steps, log.served, delayed.served);
  out.joined = totals_of(load, joined.steps, joined.served, log.served);
  out.delayed = totals_of(load, delayed.steps, delayed.served, log.served);
  return out;
}
}  // namespace

std::optional<double> error_of(const std::optional<double>& logged, const std::optional<double>& simulated) {
  if (!logged || !simulated || *logged <= 0) return std::nullopt;
  return *simulated / *logged - 1;
}

bool RunComparison::all_equal() const {
  return std::all_of(loads.begin(), loads.end(), [](const LoadComparison& l) { return l.equal == l.compared; });
}

RunComparison compare_steps(const LoggedRun& run) {
  RunComparison out{run.folder, run.setup, {}};
  for (const LoggedLoad& load : run.loads) out.loads.push_back(compare_load(run.setup, load));
  return out;
}
}  // namespace stowage::engine_steps
