// Part clock: how long a prompt's step takes by what ran before it. A chip that has rested runs its first tens of
// milliseconds of matrix products at full clock, until its power limit slows it; a server that mixes prompts with
// decode steps lives in between. Three figures, all of whole steps of the model, one prompt each:
//   ramp  prompts back to back after a rest, each by its place in the row
//   rest  one prompt, then decode steps or nothing, over and over
//   refill  prompts back to back until the clock has settled, nothing for a while, and again: what that while earned
//   walk  random prompts and rests: what a model of the first two is judged by
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "gpu_probe/device.hpp"
#include "gpu_probe/iteration.hpp"

namespace stowage::probe {
namespace {

constexpr std::int64_t kPoolTokens = std::int64_t{1} << 18;
constexpr int kPromptMax = 8192;
constexpr int kBindingContiguous = 0;
constexpr int kRecordedMax = 256;
constexpr double kSettleUs = 360e3;    // of prompts back to back: by then the clock has long fallen (ramp)
constexpr double kRefilledUs = 200e3;  // after a rest: by then whatever it earned is spent

/// Times steps without stopping the chip between them: events and SM stamps around each, read at the end.
class Recorder {
 public:
  struct Step {
    double us = 0, mhz = 0;
    double rest_us = 0;  // since the end of the step recorded before it; 0 for the first
  };

  Recorder(int steps_max, int sms)
      : sms_(sms), stamps_(std::size_t{4} * sizeof(std::uint64_t) * static_cast<std::size_t>(sms * steps_max)) {
    for (int i = 0; i < steps_max; ++i) events_.push_back({make_event(), make_event()});
  }
  template <class Launch>
  void step(cudaStream_t stream, const Launch& launch) {
    const Pair& pair = events_.at(used_);
    launch_stamp(stream, slot(2 * used_), sms_);
    CUDA_CHECK(cudaEventRecord(pair.start.get(), stream));
    launch();
    CUDA_CHECK(cudaEventRecord(pair.stop.get(), stream));
    launch_stamp(stream, slot(2 * used_ + 1), sms_);
    ++used_;
  }
  /// What was recorded since the last call, oldest first.
  std::vector<Step> take() {
    std::vector<Step> out;
    for (std::size_t i = 0; i < used_; ++i) {
      CUDA_CHECK(cudaEventSynchronize(events_[i].stop.get()));
      out.push_back({elapsed_us(events_[i].start, events_[i].stop), 0, 0});
      if (i > 0) out.back().rest_us = elapsed_us(events_[i - 1].stop, events_[i].start);
    }
    CUDA_CHECK(cudaDeviceSynchronize());
    for (std::size_t i = 0; i < used_; ++i) out[i].mhz = mhz(slot(2 * i), slot(2 * i + 1));
    used_ = 0;
    return out;
  }

 private:
  struct Pair {
    Event start, stop;
  };
  [[nodiscard]] std::uint64_t* slot(std::size_t i) {
    return stamps_.as<std::uint64_t>() + i * 2 * static_cast<std::size_t>(sms_);
  }
  /// Mean over the SMs that both stamps saw.
  [[nodiscard]] double mhz(const std::uint64_t* before, const std::uint64_t* after) const {
    double sum = 0;
    int n = 0;
    for (int sm = 0; sm < sms_; ++sm) {
      if (before[2 * sm] == 0 || after[2 * sm] <= before[2 * sm] || after[2 * sm + 1] <= before[2 * sm + 1]) continue;
      sum += static_cast<double>(after[2 * sm] - before[2 * sm]) /
             static_cast<double>(after[2 * sm + 1] - before[2 * sm + 1]) * 1e3;
      ++n;
    }
    return n > 0 ? sum / n : 0;
  }

  int sms_;
  std::size_t used_ = 0;
  PinnedBuffer stamps_;
  std::vector<Pair> events_;
};

/// What the chip does between two prompts: `steps` decode steps, or nothing for so long.
struct Rest {
  int decodes = 0, stored = 0;  // 0 = idle
  int steps = 0;
  double idle_ms = 0;
  [[nodiscard]] Keys keys() const {
    return {{"decodes", std::int64_t{decodes}},
            {"decode_context", std::int64_t{stored}},
            {"decode_steps", std::int64_t{steps}},
            {"idle_ms", idle_ms}};
  }
};

class Clock {
 public:
  explicit Clock(Context& context)
      : context_(context),
        runner_(context.model(), context.layers(),
                {.rows_max = kPromptMax,
                 .requests_max = kIterationRequestsMax,
                 .slots = kIterationRequestsMax,
                 .context_max = kIterationContextMax},
                context.device().sms, context.options().seed),
        pool_(context.model(), context.layers(), pool_tokens(context), context.options().seed),
        stream_(make_stream()),
        recorder_(kRecordedMax, context.device().sms) {
    runner_.bind(pool_.views(false), kBindingContiguous);
  }

  void ramp(int rows, double seconds, int repeats) {
    const StepBatch prompt = requests(1, 0, rows);
    warm(prompt);
    std::vector<Series> by_place;
    std::vector<double> before_us;
    for (int r = 0; r < repeats && !context_.interrupted(); ++r) {
      sleep_ms(400);
      const double start = now_s();
      // The host stays ahead of the chip, as far as the stream's queue lets it.
      for (int i = 0; i < 200 && now_s() - start < seconds; ++i) run_recorded(prompt);
      double sum = 0;
      const auto steps = recorder_.take();
      by_place.resize(std::max(by_place.size(), steps.size()));
      before_us.resize(by_place.size());
      for (std::size_t i = 0; i < steps.size(); ++i) {
        by_place[i].add(Sample{steps[i].us, steps[i].mhz, false});
        before_us[i] += sum / repeats;
        sum += steps[i].us;
      }
    }
    for (std::size_t i = 0; i < by_place.size(); ++i)
      if (by_place[i].size() == static_cast<std::size_t>(repeats))
        add("ramp", {{"rows", std::int64_t{rows}}, {"place", static_cast<std::int64_t>(i)}}, by_place[i],
            {{"busy_before_us", before_us[i]}});
  }

  void rest(int rows, const Rest& rest, int cycles) {
    const StepBatch prompt = requests(1, 0, rows), decodes = requests(std::max(1, rest.decodes), rest.stored, 1);
    warm(prompt);
    if (rest.decodes > 0) warm(decodes);
    for (int c = 0; c < cycles + 2 && !context_.interrupted(); ++c) {
      run_recorded(prompt);
      pause(rest, decodes);
    }
    Series us, rest_us;
    const auto steps = recorder_.take();
    for (std::size_t i = 2; i < steps.size(); ++i) {
      us.add(Sample{steps[i].us, steps[i].mhz, false});
      rest_us.add(steps[i].rest_us);
    }
    if (us.size() == 0) return;
    Keys keys = rest.keys();
    keys.insert(keys.begin(), {"rows", std::int64_t{rows}});
    add("rest", keys, us, {{"rest_us", rest_us.summary().median}});
  }

  void refill(int rows, double idle_ms, int repeats) {
    const StepBatch prompt = requests(1, 0, rows);
    warm(prompt);
    run_recorded(prompt);
    const double step_us = recorder_.take().at(0).us;
    const auto places = static_cast<std::size_t>(std::ceil(kSettleUs / step_us));
    if (places * static_cast<std::size_t>(repeats + 1) > kRecordedMax)
      return context_.note(fmt::format("refill: prompts of {} rows are too short here to settle the clock", rows));
    for (int r = 0; r <= repeats && !context_.interrupted(); ++r) {
      if (r > 0) pause({0, 0, 0, idle_ms}, prompt);
      for (std::size_t i = 0; i < places; ++i) run_recorded(prompt);
    }
    // The first row follows whatever ran before it.
    const auto steps = recorder_.take();
    if (steps.size() < 2 * places) return;
    std::vector<Series> by_place(places);
    Series rest_us, settled_us;
    for (std::size_t i = places; i < steps.size(); ++i) {
      const std::size_t place = i % places;
      by_place[place].add(Sample{steps[i].us, steps[i].mhz, false});
      if (place == 0) rest_us.add(steps[i].rest_us);
      if (static_cast<double>(place) * step_us >= kRefilledUs) settled_us.add(steps[i].us);
    }
    for (std::size_t i = 0; i < places && static_cast<double>(i) * step_us < kRefilledUs; ++i)
      add("refill", {{"rows", std::int64_t{rows}}, {"idle_ms", idle_ms}, {"place", static_cast<std::int64_t>(i)}},
          by_place[i], {{"rest_us", rest_us.summary().median}, {"settled_us", settled_us.summary().median}});
  }

  void walk(int prompts, const std::vector<int>& sizes) {
    std::vector<StepBatch> batches;
    for (const int rows : sizes) {
      batches.push_back(requests(1, 0, rows));
      warm(batches.back());
    }
    const StepBatch decodes = requests(32, 1023, 1);
    warm(decodes);
    std::vector<int> rows;
    for (int i = 0; i < prompts && !context_.interrupted(); ++i) {
      const std::size_t pick = context_.rng()() % batches.size();
      rows.push_back(sizes[pick]);
      run_recorded(batches[pick]);
      // Half of the prompts follow at once; the others after 1 to 60 decode steps, log-uniform.
      const auto u = static_cast<double>(context_.rng()() >> 11) * 0x1p-53;
      const int steps = context_.rng()() % 2 == 0 ? 0 : static_cast<int>(std::pow(60.0, u));
      pause({32, 1023, steps, 0}, decodes);
    }
    const auto steps = recorder_.take();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      Series one;
      one.add(Sample{steps[i].us, steps[i].mhz, false});
      add("walk",
          {{"place", static_cast<std::int64_t>(i)}, {"rows", std::int64_t{rows[i]}}, {"decodes", std::int64_t{32}}},
          one, {{"rest_us", steps[i].rest_us}});
    }
  }

 private:
  static std::int64_t pool_tokens(const Context& context) {
    const auto per_token = static_cast<std::int64_t>(context.model().kv_bytes_per_token_layer()) * context.layers();
    return std::min(kPoolTokens, static_cast<std::int64_t>(usable_device_bytes()) / per_token);
  }
  static double now_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  static void sleep_ms(double ms) { std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(ms)); }

  StepBatch requests(int count, int stored, int tokens) {
    StepBatch batch;
    for (int r = 0; r < count; ++r) add_request(batch, stored, tokens, context_.model().vocab, context_.rng());
    return batch;
  }
  /// Loads kernels and captures the graph.
  void warm(const StepBatch& batch) {
    if (!pool_.place(batch)) throw EnvironmentError("clock: too little memory for its KV");
    for (int i = 0; i < 2; ++i) runner_.run(batch, stream_.get());
    CUDA_CHECK(cudaStreamSynchronize(stream_.get()));
  }
  void run_recorded(const StepBatch& batch) {
    recorder_.step(stream_.get(), [&] { runner_.run(batch, stream_.get()); });
  }
  void pause(const Rest& rest, const StepBatch& decodes) {
    for (int i = 0; i < rest.steps; ++i) runner_.run(decodes, stream_.get());
    if (rest.idle_ms > 0) {
      CUDA_CHECK(cudaStreamSynchronize(stream_.get()));
      sleep_ms(rest.idle_ms);
    }
  }
  void add(const char* name, Keys keys, const Series& series, Keys extra) {
    keys.emplace_back("layers", std::int64_t{runner_.layers()});
    context_.add(figure(name, std::move(keys), "us", series, std::move(extra)));
  }

  Context& context_;
  StepRunner runner_;
  IterationPool pool_;
  Stream stream_;
  Recorder recorder_;
};

void run(Context& context) {
  Clock clock(context);
  const bool quick = context.quick();
  for (const int rows : quick ? std::vector{1024} : std::vector{128, 256, 384, 512, 768, 1024, 2048, 4096}) {
    if (context.interrupted()) return;
    clock.ramp(rows, 0.4, 3);
  }
  std::vector<Rest> rests;
  for (const double ms : quick ? std::vector{100.0} : std::vector{20.0, 50.0, 100.0, 200.0})
    rests.push_back({0, 0, 0, ms});
  for (const auto& [decodes, stored] : {std::pair{16, 1023}, {64, 1023}, {192, 1023}})
    for (const int steps : quick ? std::vector{10} : std::vector{1, 3, 6, 12, 25})
      rests.push_back({decodes, stored, steps, 0});
  for (const int rows : quick ? std::vector{1024} : std::vector{1024, 4096})
    for (const Rest& rest : rests) {
      if (context.interrupted()) return;
      clock.rest(rows, rest, quick ? 3 : 5);
    }
  clock.walk(quick ? 20 : 150, {128, 256, 512, 768, 1024, 2048, 4096});
  for (const int rows : quick ? std::vector{1024} : std::vector{512, 1024})
    for (const double ms :
         quick ? std::vector{20.0} : std::vector{2.0, 5.0, 10.0, 20.0, 30.0, 50.0, 80.0, 120.0, 200.0, 500.0}) {
      if (context.interrupted()) return;
      clock.refill(rows, ms, quick ? 1 : 5);
    }
}
}  // namespace

const Part clock_part = {"clock", "a prompt's step by what ran before it: rest, decode steps, other prompts",
                         whole_steps_unsupported, run};

}  // namespace stowage::probe
