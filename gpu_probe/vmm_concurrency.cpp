// The calls from several threads, and beside running kernels: what a background mapper costs and what it disturbs.
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <barrier>
#include <exception>
#include <optional>
#include <thread>

#include "gpu_probe/basic_kernels.hpp"
#include "gpu_probe/device.hpp"
#include "gpu_probe/vmm_steps.hpp"

namespace stowage::probe {
namespace {
using Clock = std::chrono::steady_clock;

struct MapTimes {
  Series map, set_access, unmap;
};

/// Maps every page of `range` (fresh addresses) one call at a time, then unmaps them.
void map_all(VmmRange& range, const std::vector<VmmHandle>& handles, MapTimes& times) {
  for (std::size_t i = 0; i < handles.size(); ++i) {
    times.map.add(timed_us([&] { range.map(i, handles[i]); }));
    times.set_access.add(timed_us([&] { range.set_access(i, 1); }));
  }
}
void unmap_all(VmmRange& range, MapTimes& times) {
  for (std::size_t i = 0; i < range.pages(); ++i) times.unmap.add(timed_us([&] { range.unmap(i, 1); }));
}

void add_times(Context& context, const std::string& prefix, const Keys& keys, const MapTimes& times) {
  context.add(figure(prefix + "_map", keys, "us", times.map));
  context.add(figure(prefix + "_set_access", keys, "us", times.set_access));
  context.add(figure(prefix + "_unmap", keys, "us", times.unmap));
}

enum class Phase : int { idle, mapping, unmapping };
constexpr std::array phase_names = {"idle", "mapping", "unmapping"};

/// A background thread that goes round idle, mapping, idle, unmapping, over pages that no kernel ever touches.
/// epoch() counts changes of phase: equal before and after means that a sample saw one phase only.
class Mapper {
 public:
  Mapper(const Context& context, std::size_t pages, int maps_per_s)
      : device_(context.device().index),
        maps_per_s_(maps_per_s),
        handles_(create_handles(context, pages, page_2mib)),
        range_(device_, pages * page_2mib, page_2mib),
        thread_([this] { work(); }) {}
  Mapper(const Mapper&) = delete;
  Mapper& operator=(const Mapper&) = delete;
  ~Mapper() {
    quit_ = true;
    if (thread_.joinable()) thread_.join();
  }

  [[nodiscard]] int epoch() const { return epoch_; }
  [[nodiscard]] static Phase phase_of(int epoch) {
    return std::array{Phase::idle, Phase::mapping, Phase::idle, Phase::unmapping}[static_cast<std::size_t>(epoch % 4)];
  }
  /// Ends the thread; throws what it threw.
  const MapTimes& finish() {
    quit_ = true;
    thread_.join();
    if (error_) std::rethrow_exception(error_);
    return times_;
  }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  void work() {
    try {
      CUDA_CHECK(cudaSetDevice(device_));
      while (!quit_) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        ++epoch_;
        std::size_t mapped = 0;
        const auto start = Clock::now();
        for (; mapped < handles_.size() && !quit_; ++mapped) {
          if (maps_per_s_ > 0)
            while (Clock::now() <
                   start + std::chrono::microseconds(1'000'000LL * static_cast<std::int64_t>(mapped) / maps_per_s_))
              std::this_thread::yield();
          times_.map.add(timed_us([&] { range_.map(mapped, handles_[mapped]); }));
          times_.set_access.add(timed_us([&] { range_.set_access(mapped, 1); }));
        }
        ++epoch_;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        ++epoch_;
        for (std::size_t i = 0; i < mapped; ++i) times_.unmap.add(timed_us([&] { range_.unmap(i, 1); }));
        ++epoch_;
      }
    } catch (...) {
      error_ = std::current_exception();
      failed_ = true;
    }
  }

  int device_;
  int maps_per_s_;
  std::vector<VmmHandle> handles_;
  VmmRange range_;
  MapTimes times_;
  std::exception_ptr error_;
  std::atomic<int> epoch_{0};
  std::atomic<bool> quit_{false}, failed_{false};
  std::thread thread_;  // last: starts when all else is there
};

/// A decode step as the memory system sees it: 32 kernels that each read 128 MiB of one 4 GiB buffer.
struct DecodeLoad {
  static constexpr std::size_t kernels = 32, bytes_each = 128 * mib;
  explicit DecodeLoad(const Context& context)
      : data(kernels * bytes_each), sink(sizeof(std::uint32_t)), stream(make_stream()) {
    launch_fill_random(stream.get(), data.as<>(), data.bytes(), 3, false);
    graph = capture_graph(stream.get(), [&](cudaStream_t s) {
      for (std::size_t k = 0; k < kernels; ++k)
        launch_read(s, data.as<char>() + k * bytes_each, bytes_each, sink.as<std::uint32_t>(), context.device().sms);
    });
  }
  ~DecodeLoad() { log_cuda(cudaStreamSynchronize(stream.get()), "cudaStreamSynchronize"); }
  DecodeLoad(const DecodeLoad&) = delete;
  DecodeLoad& operator=(const DecodeLoad&) = delete;

  DeviceBuffer data, sink;
  Stream stream;
  GraphExec graph;
  Event start = make_event(), stop = make_event();
};

struct PhaseTimes {
  Series graph_gpu, graph_launch, kernel_launch;
};

/// One replay: CPU time of the launch call, GPU time between events; then, the stream idle, some plain launches.
void sample_step(DecodeLoad& load, const Mapper& mapper, std::array<PhaseTimes, 3>& by_phase) {
  const int before = mapper.epoch();
  CUDA_CHECK(cudaEventRecord(load.start.get(), load.stream.get()));
  const double launch_us = timed_us([&] { CUDA_CHECK(cudaGraphLaunch(load.graph.get(), load.stream.get())); });
  CUDA_CHECK(cudaEventRecord(load.stop.get(), load.stream.get()));
  std::array<double, 16> kernel_us = {};
  for (double& us : kernel_us) us = timed_us([&] { launch_empty(load.stream.get()); });
  CUDA_CHECK(cudaStreamSynchronize(load.stream.get()));
  if (mapper.epoch() != before) return;
  PhaseTimes& times = by_phase[static_cast<std::size_t>(Mapper::phase_of(before))];
  times.graph_gpu.add(elapsed_us(load.start, load.stop));
  times.graph_launch.add(launch_us);
  for (const double us : kernel_us) times.kernel_launch.add(us);
}
}  // namespace

void vmm_waits_for_kernels(Context& context) {
  constexpr std::uint64_t spin_ns = 20'000'000;
  const int device = context.device().index;
  const Stream stream = make_stream();
  const PinnedBuffer started(sizeof(std::uint32_t));
  std::optional<VmmRange> range;
  VmmHandle handle;
  void* plain = nullptr;
  // In this order they are the life of one page, each call beside a kernel of its own that runs 20 ms.
  struct Call {
    const char* name;
    std::function<void()> call;
    Series us, waited;
  };
  std::array<Call, 9> calls = {{
      {"reserve", [&] { range.emplace(device, page_2mib, page_2mib); }, {}, {}},
      {"create", [&] { handle = VmmHandle(device, page_2mib); }, {}, {}},
      {"map", [&] { range->map(0, handle); }, {}, {}},
      {"set_access", [&] { range->set_access(0, 1); }, {}, {}},
      {"unmap", [&] { range->unmap(0, 1); }, {}, {}},
      {"release", [&] { handle.release(); }, {}, {}},
      {"free", [&] { range.reset(); }, {}, {}},
      {"cudaMalloc", [&] { CUDA_CHECK(cudaMalloc(&plain, 16 * mib)); }, {}, {}},
      {"cudaFree", [&] { CUDA_CHECK(cudaFree(std::exchange(plain, nullptr))); }, {}, {}},
  }};
  const int rounds = context.quick() ? 3 : 8;
  for (int round = 0; round < rounds && !context.interrupted(); ++round)
    for (Call& c : calls) {
      std::atomic_ref flag(*started.as<std::uint32_t>());
      flag.store(0);
      launch_spin(stream.get(), spin_ns, started.as<std::uint32_t>());
      const auto asked = Clock::now();
      while (flag.load() == 0 && Clock::now() - asked < std::chrono::seconds(2)) std::this_thread::yield();
      c.us.add(timed_us(c.call));
      const cudaError_t state = cudaStreamQuery(stream.get());
      if (state != cudaErrorNotReady) CUDA_CHECK(state);
      c.waited.add(state == cudaSuccess ? 1.0 : 0.0);
      CUDA_CHECK(cudaStreamSynchronize(stream.get()));
    }
  for (const Call& c : calls)
    context.add(figure("call_beside_kernel",
                       {{"call", std::string(c.name)}, {"kernel_ms", std::int64_t{spin_ns / 1'000'000}}}, "us", c.us,
                       {{"waited_fraction", c.waited.summary().mean}}));
}

void vmm_threads(Context& context) {
  const std::size_t pages = context.quick() ? 128 : 512;
  const int rounds = context.quick() ? 1 : 3;
  for (const int threads : {1, 2, 4}) {
    if (context.interrupted()) return;
    std::vector<std::vector<VmmHandle>> handles;
    std::vector<VmmRange> ranges;
    for (int t = 0; t < threads; ++t) {
      handles.push_back(create_handles(context, pages, page_2mib));
      ranges.emplace_back(context.device().index, pages * page_2mib, page_2mib);
    }
    std::vector<MapTimes> times(static_cast<std::size_t>(threads));
    std::vector<std::exception_ptr> errors(static_cast<std::size_t>(threads));
    std::barrier together(threads + 1);
    std::vector<std::thread> workers;
    for (std::size_t t = 0; t < static_cast<std::size_t>(threads); ++t)
      workers.emplace_back([&, t] {
        // Every thread comes to every barrier, also after an error, so that none waits for ever.
        for (int round = 0; round < 2 * rounds; ++round) {
          together.arrive_and_wait();
          try {
            CUDA_CHECK(cudaSetDevice(context.device().index));
            if (!errors[t]) round % 2 == 0 ? map_all(ranges[t], handles[t], times[t]) : unmap_all(ranges[t], times[t]);
          } catch (...) { errors[t] = std::current_exception(); }
          together.arrive_and_wait();
        }
      });
    Series map_rate, unmap_rate;
    for (int round = 0; round < 2 * rounds; ++round) {
      together.arrive_and_wait();
      const double us = timed_us([&] { together.arrive_and_wait(); });
      (round % 2 == 0 ? map_rate : unmap_rate).add(static_cast<double>(pages) * threads / us * 1e6);
    }
    for (std::thread& w : workers) w.join();
    MapTimes all;
    for (std::size_t t = 0; t < times.size(); ++t) {
      if (errors[t]) std::rethrow_exception(errors[t]);
      all.map.merge(times[t].map);
      all.set_access.merge(times[t].set_access);
      all.unmap.merge(times[t].unmap);
    }
    const Keys keys = {{"threads", std::int64_t{threads}}, {"handle_bytes", std::int64_t{page_2mib}}};
    add_times(context, "threads", keys, all);
    context.add(figure("threads_map_rate", keys, "1/s", map_rate));
    context.add(figure("threads_unmap_rate", keys, "1/s", unmap_rate));
  }
}

void vmm_beside_decode(Context& context) {
  DecodeLoad load(context);
  for (int i = 0; i < 20; ++i) CUDA_CHECK(cudaGraphLaunch(load.graph.get(), load.stream.get()));
  launch_empty(load.stream.get());
  CUDA_CHECK(cudaStreamSynchronize(load.stream.get()));
  const std::size_t pages = context.quick() ? 1024 : 3072;
  const std::size_t wanted = context.quick() ? 40 : 200;
  for (const int maps_per_s : {0, 5000}) {  // 0 = flat out
    std::array<PhaseTimes, 3> by_phase;
    Mapper mapper(context, maps_per_s == 0 ? pages : pages / 3, maps_per_s);
    const auto start = Clock::now();
    const auto enough = [&] {
      for (const PhaseTimes& times : by_phase)
        if (times.graph_gpu.size() < wanted) return false;
      return true;
    };
    while (!enough() && !context.interrupted() && !mapper.failed() && Clock::now() - start < std::chrono::seconds(8))
      sample_step(load, mapper, by_phase);
    const StopReason stop = context.interrupted() ? StopReason::interrupted
                            : enough()            ? StopReason::samples
                                                  : StopReason::timeout;
    const MapTimes& times = mapper.finish();
    for (std::size_t p = 0; p < by_phase.size(); ++p) {
      const Keys keys = {{"mapper", std::string(phase_names[p])}, {"maps_per_s", std::int64_t{maps_per_s}}};
      for (Series* s : {&by_phase[p].graph_gpu, &by_phase[p].graph_launch, &by_phase[p].kernel_launch}) s->stop = stop;
      context.add(figure("decode_gpu", keys, "us", by_phase[p].graph_gpu));
      context.add(figure("decode_graph_launch", keys, "us", by_phase[p].graph_launch));
      context.add(figure("decode_kernel_launch", keys, "us", by_phase[p].kernel_launch));
    }
    add_times(context, "beside_decode",
              {{"maps_per_s", std::int64_t{maps_per_s}}, {"handle_bytes", std::int64_t{page_2mib}}}, times);
  }
  context.note(fmt::format("decode load: a graph of {} kernels, each reading {} MiB", DecodeLoad::kernels,
                           DecodeLoad::bytes_each / mib));
}

}  // namespace stowage::probe
