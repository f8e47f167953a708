#include "calibrate/engine_steps/replay.hpp"

#include <algorithm>
#include <memory>
#include <span>

#include "sim/kv/registry.hpp"
#include "sim/serve/simulate.hpp"

namespace stowage::engine_steps {
namespace {

/// Ids count in order of joining: the k-th is the request at joins[k].
class Joins final : public Workload {
 public:
  Joins(const LoggedLoad& load, const std::vector<Timeline::Joined>& joins) {
    for (const Timeline::Joined& j : joins) {
      const LoggedRequest& q = load.requests[j.request];
      Request r{j.at_ns, q.prompt_tokens, q.output_tokens, rows_.size()};
      if (!q.prefix.empty()) r.content = static_cast<std::int32_t>(rows_.size());
      rows_.push_back(r);
      prefixes_.push_back(q.prefix);
    }
  }
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override {
    struct Stream final : RequestStream {
      explicit Stream(const Joins& all) : joins(all), rest(all.rows_) {}
      std::size_t read(std::span<Request> out) override {
        const std::size_t n = std::min(out.size(), rest.size());
        std::copy_n(rest.begin(), n, out.begin());
        rest = rest.subspan(n);
        return n;
      }
      PromptContent content(const Request& r) const override {
        if (r.content < 0) return {};
        return {joins.prefixes_[static_cast<std::size_t>(r.content)], prefix_block_tokens, 0, {}};
      }
      const Joins& joins;
      std::span<const Request> rest;
    };
    return std::make_unique<Stream>(*this);
  }

 private:
  std::vector<Request> rows_;
  std::vector<std::span<const std::uint64_t>> prefixes_;
};

class LogTimes final : public StepTimes {
 public:
  explicit LogTimes(const std::vector<StepTime>& times) : times_(times) {}
  [[nodiscard]] StepTime of(std::uint64_t index) const override {
    return times_[std::min<std::size_t>(index, times_.size() - 1)];
  }

 private:
  const std::vector<StepTime>& times_;
};

/// Decisions do not depend on what a token is made of: it is one byte here.
RunConfig config_of(const Setup& setup) {
  RunConfig out;
  out.scheduler = setup.scheduler;
  out.kv = {Bytes{setup.blocks * setup.block_size}, Bytes{1}, 1, 1};
  out.manager = manager_spec(*find_manager("paged"));
  out.manager.params["block_size"] = setup.block_size;
  out.manager.params["watermark"] = setup.watermark;
  out.manager.params["prefix_caching"] = std::int64_t{setup.prefix_caching ? 1 : 0};
  out.manager.params["free_order"] = std::string(setup.nameless_first ? "nameless_first" : "as_freed");
  out.cost = StepCost(StepCost::Linear{});
  return out;
}

LoggedStep step_of(const StepRecord& r, const std::vector<Timeline::Joined>& joins) {
  LoggedStep out;
  out.formed_ns = out.scheduled_ns = r.formed_ns;
  out.ended_ns = r.ends_ns;
  out.running = r.running;
  out.waiting = r.waiting;
  out.free_blocks = r.free_units;
  for (const std::uint64_t id : r.preempted) out.preempted.push_back(joins[id].request);
  std::sort(out.preempted.begin(), out.preempted.end());
  for (const StepRecord::Row& row : r.rows) {
    out.tokens += row.tokens;
    out.decodes += row.decode ? 1 : 0;
    out.decode_context += row.decode ? row.before : 0;
    if (!row.decode) out.prompts.push_back({joins[row.id].request, row.before, row.tokens, row.known});
  }
  return out;
}
}  // namespace

Replay replay(const Setup& setup, const LoggedLoad& load, const std::vector<Timeline::Joined>& joins,
              const std::vector<StepTime>& times, std::size_t most) {
  Replay out;
  out.served.resize(load.requests.size());
  RunConfig config = config_of(setup);
  config.workload = std::make_shared<Joins>(load, joins);
  LogTimes log(times);
  RunHooks hooks;
  hooks.times = &log;
  hooks.on_step = [&](const StepRecord& r) {
    if (!r.rows.empty() && out.steps.size() < most) out.steps.push_back(step_of(r, joins));
  };
  hooks.on_request = [&](const RequestRecord& r) {
    out.served[joins[r.id].request] = {r.first_token_ns, r.finished_ns};
  };
  out.rejected = simulate(config, hooks).rejected;
  return out;
}
}  // namespace stowage::engine_steps
