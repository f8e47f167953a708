// All-reduce and send/recv between two GPUs with NCCL, loaded at run time.
#include <dlfcn.h>
#include <fmt/format.h>
#include <nccl.h>

#include <array>
#include <cstdlib>

#include "gpu_probe/basic_kernels.hpp"
#include "gpu_probe/cuda_timer.hpp"
#include "gpu_probe/device.hpp"

namespace stowage::probe {
namespace {
constexpr std::size_t mib = std::size_t{1} << 20;

/// The calls used here. The library is never unloaded: it keeps threads.
struct Nccl {
  decltype(&ncclCommInitAll) comm_init_all = nullptr;
  decltype(&ncclCommDestroy) comm_destroy = nullptr;
  decltype(&ncclAllReduce) all_reduce = nullptr;
  decltype(&ncclSend) send = nullptr;
  decltype(&ncclRecv) recv = nullptr;
  decltype(&ncclGroupStart) group_start = nullptr;
  decltype(&ncclGroupEnd) group_end = nullptr;
  decltype(&ncclGetVersion) get_version = nullptr;
  decltype(&ncclGetErrorString) error_string = nullptr;
  std::string missing;  // why it is not there
};

Nccl load() {
  Nccl n;
  // NVLink multicast keeps state in the switch that outlives a crashed process: left off on purpose.
  setenv("NCCL_NVLS_ENABLE", "0", 1);
  void* library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    n.missing = "libnccl.so.2 is not on the library path (LD_LIBRARY_PATH can name its folder)";
    return n;
  }
  const auto look_up = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
    if (function == nullptr) n.missing = fmt::format("libnccl.so.2 has no {}", name);
  };
  look_up(n.comm_init_all, "ncclCommInitAll");
  look_up(n.comm_destroy, "ncclCommDestroy");
  look_up(n.all_reduce, "ncclAllReduce");
  look_up(n.send, "ncclSend");
  look_up(n.recv, "ncclRecv");
  look_up(n.group_start, "ncclGroupStart");
  look_up(n.group_end, "ncclGroupEnd");
  look_up(n.get_version, "ncclGetVersion");
  look_up(n.error_string, "ncclGetErrorString");
  return n;
}

const Nccl& nccl() {
  static const Nccl loaded = load();
  return loaded;
}

void check(ncclResult_t status, const char* call) {
  if (status != ncclSuccess) throw CudaError(fmt::format("NCCL: {} in {}", nccl().error_string(status), call));
}

/// Makes a device current for a scope.
class OnDevice {
 public:
  explicit OnDevice(int device) {
    CUDA_CHECK(cudaGetDevice(&before_));
    CUDA_CHECK(cudaSetDevice(device));
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  ~OnDevice() { log_cuda(cudaSetDevice(before_), "cudaSetDevice"); }

 private:
  int before_ = 0;
};

/// One GPU's end. The first one's stream is the timer's.
struct End {
  End(int d, std::size_t bytes, cudaStream_t shared) : device(d) {
    const OnDevice on(device);
    if (shared == nullptr) own = make_stream();
    stream = shared != nullptr ? shared : own.get();
    send = DeviceBuffer(bytes);
    recv = DeviceBuffer(bytes);
    launch_fill_random(stream, send.as<>(), bytes, 21 + static_cast<std::uint64_t>(d), true);
    CUDA_CHECK(cudaStreamSynchronize(stream));
  }
  int device;
  Stream own;
  cudaStream_t stream = nullptr;
  DeviceBuffer send, recv;
};

class Comms {
 public:
  explicit Comms(std::array<int, 2> devices) {
    check(nccl().comm_init_all(comms_.data(), 2, devices.data()), "ncclCommInitAll");
  }
  Comms(const Comms&) = delete;
  Comms& operator=(const Comms&) = delete;
  ~Comms() {
    for (ncclComm_t comm : comms_)
      if (comm != nullptr) static_cast<void>(nccl().comm_destroy(comm));
  }
  [[nodiscard]] ncclComm_t operator[](std::size_t i) const { return comms_[i]; }

 private:
  std::array<ncclComm_t, 2> comms_ = {};
};

using Ends = std::array<End, 2>;

void all_reduce(const Ends& ends, const Comms& comms, std::size_t bytes) {
  check(nccl().group_start(), "ncclGroupStart");
  for (std::size_t e = 0; e < 2; ++e)
    check(nccl().all_reduce(ends[e].send.as<>(), ends[e].recv.as<>(), bytes / 2, ncclBfloat16, ncclSum, comms[e],
                            ends[e].stream),
          "ncclAllReduce");
  check(nccl().group_end(), "ncclGroupEnd");
}

void send_recv(const Ends& ends, const Comms& comms, std::size_t bytes) {
  check(nccl().group_start(), "ncclGroupStart");
  check(nccl().send(ends[1].send.as<>(), bytes, ncclUint8, 0, comms[1], ends[1].stream), "ncclSend");
  check(nccl().recv(ends[0].recv.as<>(), bytes, ncclUint8, 1, comms[0], ends[0].stream), "ncclRecv");
  check(nccl().group_end(), "ncclGroupEnd");
}

/// Both ends must hold the same sum, and the receiver what was sent.
void verify(Context& context, const Ends& ends, const Comms& comms) {
  const auto sum_of = [](const End& end, const void* data) {
    const OnDevice on(end.device);
    const DeviceBuffer sum(sizeof(unsigned long long));
    CUDA_CHECK(cudaMemset(sum.as<>(), 0, sum.bytes()));
    launch_checksum(end.stream, data, mib, sum.as<unsigned long long>());
    CUDA_CHECK(cudaStreamSynchronize(end.stream));
    unsigned long long value = 0;
    CUDA_CHECK(cudaMemcpy(&value, sum.as<>(), sizeof value, cudaMemcpyDeviceToHost));
    return value;
  };
  all_reduce(ends, comms, mib);
  const bool reduced = sum_of(ends[0], ends[0].recv.as<>()) == sum_of(ends[1], ends[1].recv.as<>());
  send_recv(ends, comms, mib);
  const bool received = sum_of(ends[0], ends[0].recv.as<>()) == sum_of(ends[1], ends[1].send.as<>());
  context.add(fact("results_equal", {{"operation", std::string("all_reduce")}}, "count", reduced ? 1 : 0));
  context.add(fact("results_equal", {{"operation", std::string("send_recv")}}, "count", received ? 1 : 0));
}

std::optional<std::string> unsupported(const Context& context) {
  if (context.device().count < 2) return fmt::format("needs 2 GPUs, there is {}", context.device().count);
  if (!nccl().missing.empty()) return nccl().missing;
  if (usable_device_bytes() < 4096 * mib) return "needs 6 GiB of free device memory";
  return std::nullopt;
}

void run(Context& context) {
  const int first = context.device().index, second = first == 0 ? 1 : 0;
  const std::size_t most = context.quick() ? 64 * mib : 1024 * mib;
  // The gate holds the first GPU until both ends' operations are queued; the second's kernels wait for their peer.
  CudaTimer timer({.flush_l2 = false, .gate = true, .clock = false});
  const Ends ends = {End(first, most, timer.stream()), End(second, most, nullptr)};
  const Comms comms({first, second});
  int version = 0;
  check(nccl().get_version(&version), "ncclGetVersion");
  context.note(fmt::format("NCCL {}, NVLink multicast off, GPUs {} and {}", version, first, second));
  verify(context, ends, comms);
  for (std::size_t bytes = 8 * 1024; bytes <= most && !context.interrupted(); bytes *= 2) {
    // Each sample is several operations back to back, one after the other on each end; the time is of one.
    const int batch = bytes >= 16 * mib ? 2 : 20;
    const auto repeat = [&](auto operation) {
      return [&, operation](int) {
        for (int i = 0; i < batch; ++i) operation(ends, comms, bytes);
      };
    };
    const std::array variants = {Variant{"all_reduce", repeat(all_reduce)}, Variant{"send_recv", repeat(send_recv)}};
    const std::vector<Series> series =
        measure_interleaved(std::span<const Variant>(variants), context.rule(0.4), timer, context.rng());
    for (std::size_t v = 0; v < variants.size(); ++v) {
      const double us = series[v].summary().median / batch;
      // Bus bandwidth of an all-reduce over n GPUs is 2 (n - 1) / n of size over time: with 2, the same number.
      context.add(figure(variants[v].name,
                         {{"bytes", static_cast<std::int64_t>(bytes)}, {"operations", std::int64_t{batch}}}, "us",
                         series[v], {{"us_per_operation", us}, {"gbps", gbps(static_cast<double>(bytes), us)}}));
    }
  }
  const OnDevice on(second);
  CUDA_CHECK(cudaDeviceSynchronize());
}
}  // namespace

const Part collective_part = {"collective", "all-reduce and send/recv between 2 GPUs (NCCL)", unsupported, run};

}  // namespace stowage::probe
