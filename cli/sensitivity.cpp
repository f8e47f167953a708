#include "cli/sensitivity.hpp"

#include <fmt/format.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "base/shell.hpp"
#include "base/error.hpp"
#include "sim/latency.hpp"
#include "reports/text.hpp"
#include "sim/kv/registry.hpp"
#include "sim/serve/simulate.hpp"

namespace stowage::cli {
namespace {
constexpr std::uint64_t most_requests = 50'000;
constexpr double step = 0.2, utilization_step = 0.1;

/// The first so many requests of another workload, their lengths scaled.
class Changed final : public Workload {
 public:
  Changed(std::shared_ptr<const Workload> of, double lengths) : of_(std::move(of)), lengths_(lengths) {}
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override {
    return std::make_unique<Stream>(of_->open(), lengths_);
  }

 private:
  class Stream final : public RequestStream {
   public:
    Stream(std::unique_ptr<RequestStream> of, double lengths) : of_(std::move(of)), lengths_(lengths) {
      // A turn's prompt holds the turns before it, to the token.
      if (lengths != 1 && has_followers()) throw InputError({}, "turns of sessions cannot be longer or shorter");
    }
    std::size_t read(std::span<Request> out) override {
      const std::size_t n = of_->read(out.first(std::min<std::size_t>(out.size(), left_)));
      left_ -= n;
      if (lengths_ == 1) return n;
      for (Request& r : out.first(n)) {
        r.prompt_tokens = scaled(r.prompt_tokens);
        r.output_tokens = scaled(r.output_tokens);
        if (r.max_tokens > 0) r.max_tokens = std::max(r.output_tokens, scaled(r.max_tokens));
      }
      return n;
    }
    [[nodiscard]] PromptContent content(const Request& r) const override {
      PromptContent out = of_->content(r);
      if (lengths_ != 1 && out.hash_tokens > 0)  // of what is left of the prompt
        out.hashes = out.hashes.first(
            std::min(out.hashes.size(), static_cast<std::size_t>(r.prompt_tokens / out.hash_tokens)));
      return out;
    }
    void drop(const Request& r) override { of_->drop(r); }
    [[nodiscard]] bool has_followers() const override { return of_->has_followers(); }
    void ended(const Request& r, std::int64_t at_ns, std::vector<Request>& ready) override {
      of_->ended(r, at_ns, ready);
    }
    void rejected(const Request& r, std::int64_t at_ns, std::vector<Request>& lost,
                  std::vector<Request>& ready) override {
      of_->rejected(r, at_ns, lost, ready);
    }

   private:
    [[nodiscard]] std::int32_t scaled(std::int32_t tokens) const {
      return static_cast<std::int32_t>(std::clamp(std::round(tokens * lengths_), 1.0, 2147483647.0));
    }
    std::unique_ptr<RequestStream> of_;
    double lengths_;
    std::size_t left_ = most_requests;
  };
  std::shared_ptr<const Workload> of_;
  double lengths_;
};

/// One simulation: run `run` of the scenario under these changes.
struct Task {
  std::vector<std::string> sets;
  std::size_t run = 0;
  double lengths = 1;
  std::optional<WhatIf::Outcome>* out = nullptr;
};

/// What users would type for one change, for each run. Empty = cannot be changed.
using Sets = std::function<std::vector<std::string>(std::size_t run, double factor)>;

std::string utilization(const Scenario& s, double factor) {
  return fmt::format("{:.4g}", std::min(0.99, s.memory.utilization.value_or(0.9) * factor));
}

std::string size_set(const Scenario& s, std::size_t run, double factor) {
  const ManagerSpec& m = s.runs[run].manager;
  const ManagerRow& row = row_of(m);
  if (row.granule.empty()) return "";
  const bool bytes = std::ranges::find(row.params, row.granule, &ParamSpec::name)->type == ParamType::bytes;
  const double size = static_cast<double>(m.integer(row.granule)) * factor;
  if (size < 1) return "";
  return fmt::format("managers[{}].{}={:.0f}{}", run, row.granule, size, bytes ? "B" : "");
}

class Study {
 public:
  Study(const Options& options, const Scenario& scenario) : options_(options), scenario_(scenario) {}

  void change(std::string what, double low, double high, std::string low_text, std::string high_text, const Sets& sets,
              double by_lengths = 0) {
    WhatIf& w = *changes_.emplace_back(std::make_unique<WhatIf>());
    w.what = std::move(what);
    w.low_text = std::move(low_text);
    w.high_text = std::move(high_text);
    const std::size_t runs = scenario_.runs.size();
    w.low.resize(runs);
    w.high.resize(runs);
    for (std::size_t run = 0; run < runs; ++run) {
      for (const bool up : {false, true}) {
        const double factor = up ? high : low;
        const std::vector<std::string> given = sets(run, factor);
        if (given.empty() && by_lengths == 0) continue;
        std::string& shown = up ? w.high_set : w.low_set;
        for (const std::string& s : given) {
          const std::string typed = shell_word(s);
          if (shown.find(typed) == std::string::npos) shown += (shown.empty() ? "--set " : " --set ") + typed;
        }
        tasks_.push_back({given, run, by_lengths == 0 ? 1 : factor, up ? &w.high[run] : &w.low[run]});
      }
    }
  }
  void base(WhatIf::Outcomes& out) {
    for (std::size_t run = 0; run < out.size(); ++run) tasks_.push_back({{}, run, 1, &out[run]});
  }
  void simulate() {
    const int cores = tbb::info::default_concurrency();
    tbb::task_arena arena(options_.jobs > 0 ? std::min(options_.jobs, cores) : cores);
    arena.execute([&] {
      tbb::parallel_for(
          std::size_t{0}, tasks_.size(), [&](std::size_t i) { one(tasks_[i]); }, tbb::simple_partitioner{});
    });
  }
  [[nodiscard]] std::vector<WhatIf> take() {
    std::vector<WhatIf> out;
    for (auto& w : changes_) out.push_back(std::move(*w));
    return out;
  }

 private:
  void one(const Task& task) const {
    try {
      std::vector<std::string> sets = options_.set;
      if (options_.seed) sets.push_back(fmt::format("seed={}", *options_.seed));
      sets.insert(sets.end(), task.sets.begin(), task.sets.end());
      std::optional<Scenario> changed;
      if (!task.sets.empty()) changed = load_scenario(options_.inputs.front(), sets);
      RunConfig config = (changed ? *changed : scenario_).runs[task.run];
      config.workload = std::make_shared<Changed>(config.workload, task.lengths);
      const RunResult r = stowage::simulate(config, {});
      if (r.completed > 0) *task.out = WhatIf::Outcome{ttft.quantile_ns(r, 0.99), r.requests_per_s()};
    } catch (const InputError&) {
      // Not possible with this scenario: no outcome.
    } catch (const InfeasibleError&) {}
  }

  const Options& options_;
  const Scenario& scenario_;
  std::vector<std::unique_ptr<WhatIf>> changes_;  // tasks point into them
  std::vector<Task> tasks_;
};
}  // namespace

Sensitivity measure_sensitivity(const Options& options, const Scenario& s, const std::vector<RunResult>& results) {
  Study study(options, s);
  study.change("arrival rate", 1 - step, 1 + step, "20 % less", "20 % more", [&](std::size_t, double f) {
    return std::vector<std::string>{fmt::format("workload.rate_scale={:.6g}", s.workload.rate_scale * f)};
  });
  study.change(
      "prompts and outputs", 1 - step, 1 + step, "20 % shorter", "20 % longer",
      [](std::size_t, double) { return std::vector<std::string>{}; }, 1);
  if (s.memory.kv_pool || s.memory.kv_tokens) {
    const double pool = static_cast<double>(s.runs.front().kv.pool.count());
    study.change("KV pool", 1 - step, 1 + step, "20 % less", "20 % more", [&, pool](std::size_t, double f) {
      return std::vector<std::string>{fmt::format("memory={{kv_pool: {:.0f}B}}", pool * f)};
    });
  } else {
    study.change(
        "GPU memory utilization", 1 - utilization_step, 1 + utilization_step, utilization(s, 1 - utilization_step),
        utilization(s, 1 + utilization_step),
        [&](std::size_t, double f) { return std::vector<std::string>{"memory.utilization=" + utilization(s, f)}; });
  }
  study.change("block or page size", 0.5, 2, "half", "double", [&](std::size_t run, double f) {
    const std::string set = size_set(s, run, f);
    return set.empty() ? std::vector<std::string>{} : std::vector<std::string>{set};
  });
  if (std::holds_alternative<SyntheticSpec>(s.workload.source)) {
    study.change("chance: another seed", 1, 2, "seed + 1", "seed + 2", [&](std::size_t, double f) {
      return std::vector<std::string>{fmt::format("seed={}", s.seed + static_cast<std::uint64_t>(f))};
    });
  }
  Sensitivity out;
  const bool cut = std::ranges::any_of(results, [](const RunResult& r) { return r.submitted > most_requests; });
  out.base.resize(results.size());
  if (cut) {
    out.basis = "the first " + text::count(most_requests) + " requests";
    study.base(out.base);
  } else {
    for (std::size_t i = 0; i < results.size(); ++i) {
      const RunResult& r = results[i];
      if (r.completed > 0) out.base[i] = WhatIf::Outcome{ttft.quantile_ns(r, 0.99), r.requests_per_s()};
    }
  }
  study.simulate();
  out.changes = study.take();
  WhatIf prefix;
  prefix.what = "prefix-hit rate";
  prefix.note = "not modelled";
  prefix.low.resize(results.size());
  prefix.high.resize(results.size());
  out.changes.push_back(std::move(prefix));
  return out;
}
}  // namespace stowage::cli
