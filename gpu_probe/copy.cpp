// Copies between pinned host memory and the device: by size, both ways at once, and as a swap of KV blocks moves them.
#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>

#include "gpu_probe/basic_kernels.hpp"
#include "gpu_probe/cuda_timer.hpp"
#include "gpu_probe/device.hpp"

namespace stowage::probe {
namespace {
constexpr std::size_t kib = 1024, mib = 1024 * kib;

/// Pinned memory with every page touched (a virtual machine may take seconds to hand them over) and device memory.
struct Arena {
  explicit Arena(std::size_t bytes) : host(bytes), device(bytes) {
    std::memset(host.as<>(), 0x5a, bytes);
    launch_fill_random(nullptr, device.as<>(), bytes, 11, false);
    CUDA_CHECK(cudaMemcpy(host.as<>(), device.as<>(), bytes, cudaMemcpyDeviceToHost));
  }
  PinnedBuffer host;
  DeviceBuffer device;
};

void by_size(Context& context, CudaTimer& timer, const Arena& arena) {
  for (std::size_t bytes = 4 * kib; bytes <= arena.host.bytes(); bytes *= 4) {
    if (context.interrupted()) return;
    // Small copies walk through the arena: the same few lines again would come from a cache.
    const std::size_t places = arena.host.bytes() / bytes;
    const auto at = [=](int i) { return static_cast<std::size_t>(i) * 7919 % places * bytes; };
    const auto copy = [&](int i, bool to_device) {
      char* host = arena.host.as<char>() + at(i);
      char* device = arena.device.as<char>() + at(i + 1);
      CUDA_CHECK(to_device ? cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, timer.stream())
                           : cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, timer.stream()));
    };
    const std::array variants = {Variant{"h2d", [&](int i) { copy(i, true); }},
                                 Variant{"d2h", [&](int i) { copy(i, false); }}};
    StopRule rule = context.rule(1.0);
    if (bytes >= 64 * mib) rule.samples_max = 20;
    const std::vector<Series> series =
        measure_interleaved(std::span<const Variant>(variants), rule, timer, context.rng());
    for (std::size_t v = 0; v < variants.size(); ++v)
      context.add(figure("copy", {{"direction", variants[v].name}, {"bytes", static_cast<std::int64_t>(bytes)}}, "us",
                         series[v], {{"gbps", gbps(static_cast<double>(bytes), series[v].summary().median)}}));
  }
}

void both_ways(Context& context, const Arena& arena) {
  // Each half of the arena one way, on two streams that one stream opens and closes.
  CudaTimer timer;
  const Stream other = make_stream();
  const Event fork = make_event(), join = make_event();
  const std::size_t bytes = arena.host.bytes() / 2;
  const Series series = measure(
      [&](int) {
        CUDA_CHECK(cudaEventRecord(fork.get(), timer.stream()));
        CUDA_CHECK(cudaStreamWaitEvent(other.get(), fork.get()));
        CUDA_CHECK(
            cudaMemcpyAsync(arena.device.as<>(), arena.host.as<>(), bytes, cudaMemcpyHostToDevice, timer.stream()));
        CUDA_CHECK(cudaMemcpyAsync(arena.host.as<char>() + bytes, arena.device.as<char>() + bytes, bytes,
                                   cudaMemcpyDeviceToHost, other.get()));
        CUDA_CHECK(cudaEventRecord(join.get(), other.get()));
        CUDA_CHECK(cudaStreamWaitEvent(timer.stream(), join.get()));
      },
      context.rule(0.6), timer, context.rng());
  CUDA_CHECK(cudaStreamSynchronize(other.get()));
  context.add(figure("copy_both_ways", {{"bytes_each_way", static_cast<std::int64_t>(bytes)}}, "us", series,
                     {{"gbps_each_way", gbps(static_cast<double>(bytes), series.summary().median)}}));
}

/// A swap as vLLM does it (csrc/cache_kernels.cu, swap_blocks): one copy a block, K and V of one layer apart. Against
/// it the same bytes in one piece, and by a kernel that reaches into pinned memory.
void swap_of_blocks(Context& context, const Arena& arena) {
  const std::size_t block_bytes = 16 * context.model().kv_bytes_per_token_layer() / 2;  // 16 tokens, K or V, one layer
  const std::size_t places = arena.device.bytes() / block_bytes;
  const int count = static_cast<int>(std::min<std::size_t>(places / 4, 400));
  const std::size_t bytes = static_cast<std::size_t>(count) * block_bytes;
  std::vector<std::uint32_t> chosen(places);
  for (std::size_t i = 0; i < places; ++i) chosen[i] = static_cast<std::uint32_t>(i);
  for (std::size_t i = places; i > 1; --i) std::swap(chosen[i - 1], chosen[context.rng()() % i]);
  const DeviceBuffer index(places * sizeof(std::uint32_t));
  CUDA_CHECK(cudaMemcpy(index.as<>(), chosen.data(), index.bytes(), cudaMemcpyHostToDevice));
  const int sets = static_cast<int>(places) / count;
  // Without a gate: the CPU's cost of many small calls is part of what a swap takes.
  CudaTimer timer({.flush_l2 = false, .gate = false, .clock = false});
  const auto blocks = [&](int i) { return chosen.data() + static_cast<std::ptrdiff_t>(i % sets) * count; };
  for (const bool out : {true, false}) {
    const auto kind = out ? cudaMemcpyDeviceToHost : cudaMemcpyHostToDevice;
    const auto copy = [&](std::size_t host_at, std::size_t device_at, std::size_t n) {
      char* host = arena.host.as<char>() + host_at;
      char* device = arena.device.as<char>() + device_at;
      CUDA_CHECK(out ? cudaMemcpyAsync(host, device, n, kind, timer.stream())
                     : cudaMemcpyAsync(device, host, n, kind, timer.stream()));
    };
    const std::array variants = {
        Variant{"one copy a block",
                [&](int i) {
                  for (int b = 0; b < count; ++b)
                    copy(static_cast<std::size_t>(b) * block_bytes, blocks(i)[b] * block_bytes, block_bytes);
                }},
        Variant{"one piece", [&](int i) { copy(0, static_cast<std::size_t>(i % sets) * bytes, bytes); }},
        Variant{"kernel", [&](int i) {
                  const auto* table = index.as<std::uint32_t>() + static_cast<std::ptrdiff_t>(i % sets) * count;
                  launch_move_blocks(timer.stream(), out ? arena.device.as<>() : arena.host.as<>(),
                                     out ? arena.host.as<>() : arena.device.as<>(), table, count, block_bytes, !out);
                }}};
    const std::vector<Series> series =
        measure_interleaved(std::span<const Variant>(variants), context.rule(1.0), timer, context.rng());
    for (std::size_t v = 0; v < variants.size(); ++v)
      context.add(figure("swap",
                         {{"direction", std::string(out ? "d2h" : "h2d")},
                          {"how", variants[v].name},
                          {"blocks", std::int64_t{count}},
                          {"block_bytes", static_cast<std::int64_t>(block_bytes)}},
                         "us", series[v], {{"gbps", gbps(static_cast<double>(bytes), series[v].summary().median)}}));
  }
}

std::optional<std::string> unsupported(const Context&) {
  if (usable_device_bytes() < 2048 * mib) return "needs 4 GiB of free device memory";
  return std::nullopt;
}

void run(Context& context) {
  const Arena arena(context.quick() ? 256 * mib : 1024 * mib);
  CudaTimer timer({.flush_l2 = false, .gate = true, .clock = false});
  by_size(context, timer, arena);
  if (context.interrupted()) return;
  both_ways(context, arena);
  if (context.interrupted()) return;
  swap_of_blocks(context, arena);
}
}  // namespace

const Part copy_part = {"copy",
                        "copies of pinned memory to and from the device: 4 KiB to 1 GiB, both ways, swap of KV blocks",
                        unsupported, run};

}  // namespace stowage::probe
