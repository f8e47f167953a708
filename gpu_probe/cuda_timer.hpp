#pragma once
// Times GPU work with events, as nvbench does: the caches can be flushed before a sample, a gate kernel holds the
// stream while the sample is queued (so the CPU's launch cost stays out of it), and the SM clock is read before and
// after (clock64 over globaltimer, on the same SM).
#include <functional>

#include "gpu_probe/cuda.hpp"
#include "gpu_probe/measure.hpp"

namespace stowage::probe {

struct TimerOptions {
  bool flush_l2 = false;  // overwrite twice the L2 before each sample; leave off when the caller rotates its buffers
  bool gate = true;       // hold the stream until the sample is queued; leave off where launch() itself waits
  bool clock = true;      // read the SM clock around each sample
};

/// Satisfies Timer. One stream; launch(i) must queue on stream() and must not synchronise when `gate` is on, nor queue
/// more than ~500 operations (the stream's queue is finite: capture a graph instead).
class CudaTimer {
 public:
  explicit CudaTimer(TimerOptions options = {});
  CudaTimer(const CudaTimer&) = delete;
  CudaTimer& operator=(const CudaTimer&) = delete;
  ~CudaTimer();

  [[nodiscard]] cudaStream_t stream() const { return stream_.get(); }
  Sample time(const std::function<void(int)>& launch, int i);
  /// Runs launch(i) without a gate: a kernel's first launch loads its code, which may wait for the stream.
  void warm_up(const std::function<void(int)>& launch, int i);
  [[nodiscard]] double now_s() const;
  [[nodiscard]] bool interrupted() const;

  /// Back to back for `seconds` (the state a loaded server is in: power-capped clocks), timed in batches of ~20 ms;
  /// the first third warms the chip and is left out. Each value is the time of one launch.
  Series sustained(const std::function<void(int)>& launch, double seconds);

 private:
  void read_clock(int slot);
  [[nodiscard]] double clock_mhz() const;  // between slots 0 and 1; after a synchronise
  [[nodiscard]] bool slowed();             // asks the driver at most every 50 ms

  TimerOptions options_;
  Stream stream_;
  Event start_, stop_;
  DeviceBuffer flush_;
  PinnedBuffer stamps_;  // [slot][sm]{clock, ns}
  PinnedBuffer gate_;    // one flag
  int sms_ = 0;
  double slowed_asked_s_ = -1;
  bool slowed_ = false;
};

}  // namespace stowage::probe
