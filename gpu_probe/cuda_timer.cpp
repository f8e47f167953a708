#include "gpu_probe/cuda_timer.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "gpu_probe/basic_kernels.hpp"
#include "gpu_probe/nvml.hpp"
#include "gpu_probe/probe.hpp"

namespace stowage::probe {
namespace {
/// Opens the gate on every way out, so that a throw never leaves the stream waiting.
class GateGuard {
 public:
  explicit GateGuard(std::uint32_t* flag) : flag_(flag) {}
  GateGuard(const GateGuard&) = delete;
  GateGuard& operator=(const GateGuard&) = delete;
  ~GateGuard() { open(); }
  void open() {
    if (flag_ != nullptr) std::atomic_ref(*flag_).store(1, std::memory_order_release);
  }

 private:
  std::uint32_t* flag_;
};
}  // namespace

CudaTimer::CudaTimer(TimerOptions options)
    : options_(options),
      stream_(make_stream()),
      start_(make_event()),
      stop_(make_event()),
      gate_(sizeof(std::uint32_t)) {
  int device = 0, l2 = 0;
  CUDA_CHECK(cudaGetDevice(&device));
  CUDA_CHECK(cudaDeviceGetAttribute(&sms_, cudaDevAttrMultiProcessorCount, device));
  CUDA_CHECK(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, device));
  if (options_.flush_l2) flush_ = DeviceBuffer(2 * static_cast<std::size_t>(l2));
  stamps_ = PinnedBuffer(2 * 2 * sizeof(std::uint64_t) * static_cast<std::size_t>(sms_));
  *gate_.as<std::uint32_t>() = 1;
  launch_gate(stream(), gate_.as<std::uint32_t>());
  read_clock(0);
  CUDA_CHECK(cudaStreamSynchronize(stream()));
}

CudaTimer::~CudaTimer() { log_cuda(cudaStreamSynchronize(stream_.get()), "cudaStreamSynchronize"); }

double CudaTimer::now_s() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool CudaTimer::interrupted() const { return stop_signal() != 0; }

void CudaTimer::read_clock(int slot) {
  launch_stamp(stream(), stamps_.as<std::uint64_t>() + std::ptrdiff_t{2} * sms_ * slot, sms_);
}

double CudaTimer::clock_mhz() const {
  const std::uint64_t* before = stamps_.as<std::uint64_t>();
  const std::uint64_t* after = before + std::ptrdiff_t{2} * sms_;
  std::vector<double> mhz;
  for (int sm = 0; sm < sms_; ++sm) {
    if (before[2 * sm] == 0 || after[2 * sm] <= before[2 * sm] || after[2 * sm + 1] <= before[2 * sm + 1]) continue;
    const auto ns = static_cast<double>(after[2 * sm + 1] - before[2 * sm + 1]);
    if (ns < 20e3) continue;  // the global timer's ticks are too coarse for less
    mhz.push_back(static_cast<double>(after[2 * sm] - before[2 * sm]) / ns * 1e3);
  }
  if (mhz.empty()) return 0;
  std::nth_element(mhz.begin(), mhz.begin() + static_cast<std::ptrdiff_t>(mhz.size() / 2), mhz.end());
  return mhz[mhz.size() / 2];
}

bool CudaTimer::slowed() {
  const double now = now_s();
  if (now - slowed_asked_s_ < 0.05) return slowed_;
  slowed_asked_s_ = now;
  slowed_ = current_nvml() != nullptr && current_nvml()->slowed();
  return slowed_;
}

Sample CudaTimer::time(const std::function<void(int)>& launch, int i) {
  std::uint32_t* flag = gate_.as<std::uint32_t>();
  if (options_.clock) std::fill_n(stamps_.as<std::uint64_t>(), std::ptrdiff_t{4} * sms_, 0);
  if (options_.flush_l2) CUDA_CHECK(cudaMemsetAsync(flush_.as<>(), i & 0xff, flush_.bytes(), stream()));
  {
    GateGuard guard(options_.gate ? flag : nullptr);
    if (options_.gate) {
      std::atomic_ref(*flag).store(0, std::memory_order_release);
      launch_gate(stream(), flag);
    }
    if (options_.clock) read_clock(0);
    CUDA_CHECK(cudaEventRecord(start_.get(), stream()));
    launch(i);
    CUDA_CHECK(cudaEventRecord(stop_.get(), stream()));
    if (options_.clock) read_clock(1);
    guard.open();
  }
  CUDA_CHECK(cudaStreamSynchronize(stream()));
  return Sample{elapsed_us(start_, stop_), options_.clock ? clock_mhz() : 0, slowed()};
}

void CudaTimer::warm_up(const std::function<void(int)>& launch, int i) {
  launch(i);
  CUDA_CHECK(cudaStreamSynchronize(stream()));
}

Series CudaTimer::sustained(const std::function<void(int)>& launch, double seconds) {
  Series series;
  warm_up(launch, 0);
  const double once_us = std::max(1.0, time(launch, 0).us);
  const int batch = std::clamp(static_cast<int>(20e3 / once_us), 1, 400);
  const double start_s = now_s();
  int i = 1;
  // Two batches are always in flight, so that the chip never idles while the host looks at the clock.
  struct Batch {
    Event start = make_event(), stop = make_event();
  } batches[2];
  const auto queue = [&](Batch& b) {
    CUDA_CHECK(cudaEventRecord(b.start.get(), stream()));
    for (int k = 0; k < batch; ++k) launch(i++);
    CUDA_CHECK(cudaEventRecord(b.stop.get(), stream()));
  };
  std::fill_n(stamps_.as<std::uint64_t>(), std::ptrdiff_t{4} * sms_, 0);
  queue(batches[0]);
  bool warm = false;
  for (int round = 1; now_s() - start_s < seconds && !interrupted(); ++round) {
    if (!warm && now_s() - start_s > seconds / 3) {
      read_clock(0);
      warm = true;
    }
    queue(batches[round % 2]);
    const Batch& done = batches[(round + 1) % 2];
    CUDA_CHECK(cudaEventSynchronize(done.stop.get()));
    if (warm) series.add(Sample{elapsed_us(done.start, done.stop) / batch, 0, slowed()});
  }
  read_clock(1);
  CUDA_CHECK(cudaStreamSynchronize(stream()));
  // One clock for the whole loaded stretch.
  const double mhz = clock_mhz();
  Series out;
  for (const double v : series.values()) out.add(Sample{v, mhz, false});
  out.add_dropped(series.dropped());
  out.stop = interrupted() ? StopReason::interrupted : StopReason::timeout;
  return out;
}

}  // namespace stowage::probe
