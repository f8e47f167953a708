#include "calibrate/engine_steps/timeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error.hpp"

namespace stowage::engine_steps {
namespace {
constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

[[noreturn]] void fail(const LoggedLoad& load, std::size_t step, const std::string& what) {
  throw InputError({load.steps_file, 0, 0}, fmt::format("step {}: {}", load.first_step + step, what));
}

/// Steps that bring each request its first and its last token.
struct Ends {
  std::vector<std::size_t> first, last;
};

Ends ends_of(const LoggedLoad& load) {
  const std::size_t n = load.requests.size();
  Ends out{std::vector<std::size_t>(n, never), std::vector<std::size_t>(n, never)};
  for (std::size_t k = 0; k < load.steps.size(); ++k) {
    // Who is preempted while its last token is on its way has it all the same.
    for (const std::size_t r : load.steps[k].preempted)
      if (out.last[r] != never && out.last[r] >= k) out.last[r] = never;
    for (const PromptRow& row : load.steps[k].prompts) {
      if (row.before + row.tokens < row.known) continue;
      const LoggedRequest& q = load.requests[row.request];
      const std::int64_t had = row.known - q.prompt_tokens;  // outputs
      out.last[row.request] = k + static_cast<std::size_t>(q.output_tokens - had - 1);
      out.first[row.request] = std::min(out.first[row.request], k);
    }
  }
  return out;
}

std::vector<Served> served_by(const Ends& ends, const LoggedLoad& load) {
  std::vector<Served> out(load.requests.size());
  const auto end_of = [&](std::size_t step) {
    return step < load.steps.size() ? std::optional(load.steps[step].ended_ns) : std::nullopt;
  };
  for (std::size_t r = 0; r < out.size(); ++r) out[r] = {end_of(ends.first[r]), end_of(ends.last[r])};
  return out;
}

/// In the order in which they were admitted first, which is that of joining; those that never were, by arrival.
std::vector<std::size_t> order_of(const LoggedLoad& load) {
  std::vector<std::size_t> out, rest;
  std::vector<bool> seen(load.requests.size());
  const auto add = [&](std::size_t r) {
    if (!seen[r]) out.push_back(r);
    seen[r] = true;
  };
  for (const LoggedStep& s : load.steps)
    for (const PromptRow& row : s.prompts) add(row.request);
  for (std::size_t r = 0; r < seen.size(); ++r)
    if (!seen[r]) rest.push_back(r);
  std::stable_sort(rest.begin(), rest.end(), [&](std::size_t a, std::size_t b) {
    return load.requests[a].arrival_ns < load.requests[b].arrival_ns;
  });
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

/// How many have ended by the forming of each step.
std::vector<std::size_t> ended_before(const std::vector<Served>& served, const LoggedLoad& load) {
  std::vector<std::int64_t> ends;
  for (const Served& s : served)
    if (s.last_ns) ends.push_back(*s.last_ns);
  std::sort(ends.begin(), ends.end());
  std::vector<std::size_t> out;
  for (const LoggedStep& s : load.steps)
    out.push_back(static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), s.formed_ns) - ends.begin()));
  return out;
}

void join(const LoggedLoad& load, const std::vector<std::size_t>& ended, Timeline& out) {
  const std::vector<std::size_t> order = order_of(load);
  for (std::size_t k = 0; k < load.steps.size(); ++k) {
    const LoggedStep& s = load.steps[k];
    const std::size_t now = ended[k] + static_cast<std::size_t>(s.running + s.waiting);
    if (now > order.size())
      fail(load, k, fmt::format("{} run or wait and {} have ended, of {} requests", s.running + s.waiting, ended[k],
                                order.size()));
    if (now < out.joined.size())
      fail(load, k, fmt::format("{} run or wait and {} have ended, where {} have joined before; did some end before "
                                "their output_tokens?", s.running + s.waiting, ended[k], out.joined.size()));
    while (out.joined.size() < now) out.joined.push_back({order[out.joined.size()], s.formed_ns});
  }
}

/// From the first call of those that join then.
std::int64_t since_first_call(const LoggedLoad& load, const std::vector<Timeline::Joined>& joined, std::int64_t at_ns) {
  std::int64_t first = at_ns;
  const auto [from, to] = std::ranges::equal_range(joined, at_ns, {}, &Timeline::Joined::at_ns);
  for (auto j = from; j != to; ++j) first = std::min(first, load.requests[j->request].arrival_ns);
  return at_ns - first;
}

class Times {
 public:
  Times(const LoggedLoad& load, bool async) : load_(load), s_(load.steps), async_(async) {}

  /// `idle`: who had joined by the step before has ended.
  [[nodiscard]] StepTime of(std::size_t k, bool idle) const {
    StepTime out;
    std::int64_t starts = k > 0 ? s_[k - 1].ended_ns : 0;
    if (alone(k)) {
      out.launch_ns = (follows_at_once(k + 1) ? s_[k + 1].formed_ns : s_[k].scheduled_ns) - s_[k].formed_ns;
      out.handling_ns = idle ? 0 : s_[k].formed_ns - s_[k - 1].ended_ns;
      starts = s_[k].formed_ns + out.launch_ns;
    } else if (!follows_at_once(k)) {
      out.handling_ns = s_[k].formed_ns - s_[k - 2].ended_ns;
      if (!async_ || out.handling_ns < 0)
        fail(load_, k, fmt::format("is formed while {} steps are in flight: more than the engine has",
                                   async_ ? "two" : "one or more"));
    }
    out.took_ns = s_[k].ended_ns - starts;
    return out;
  }

 private:
  /// Nothing is in flight when it is formed.
  [[nodiscard]] bool alone(std::size_t k) const { return k == 0 || s_[k].formed_ns >= s_[k - 1].ended_ns; }
  /// It is formed as the second in flight behind one that was formed with nothing in flight.
  [[nodiscard]] bool follows_at_once(std::size_t k) const {
    return async_ && k > 0 && k < s_.size() && alone(k - 1) && !alone(k);
  }
  const LoggedLoad& load_;
  const std::vector<LoggedStep>& s_;
  bool async_;
};
}  // namespace

Timeline timeline_of(const LoggedLoad& load, bool async_scheduling) {
  Timeline out;
  out.served = served_by(ends_of(load), load);
  const std::vector<std::size_t> ended = ended_before(out.served, load);
  join(load, ended, out);
  const Times times(load, async_scheduling);
  for (std::size_t k = 0; k < load.steps.size(); ++k) {
    const LoggedStep* before = k > 0 ? &load.steps[k - 1] : nullptr;
    const bool idle =
        before == nullptr || ended[k] == ended[k - 1] + static_cast<std::size_t>(before->running + before->waiting);
    out.times.push_back(times.of(k, idle));
    if (idle) out.times.back().waking_ns = since_first_call(load, out.joined, load.steps[k].formed_ns);
  }
  return out;
}
}  // namespace stowage::engine_steps
