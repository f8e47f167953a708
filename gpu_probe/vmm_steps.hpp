#pragma once
// The steps of the part `vmm`, in the order they run. Each adds its figures to the context and frees all it took.
#include <chrono>
#include <cstddef>

#include "gpu_probe/driver.hpp"
#include "gpu_probe/probe.hpp"

namespace stowage::probe {

inline constexpr std::size_t mib = std::size_t{1} << 20;
inline constexpr std::size_t page_2mib = 2 * mib;

template <class F>
double timed_us(F&& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

[[nodiscard]] std::vector<VmmHandle> create_handles(const Context& context, std::size_t count, std::size_t bytes);

// vmm_latency.cpp: one thread, nothing else at work
void vmm_granularities(Context& context);
void vmm_by_handle_size(Context& context);
void vmm_adjacent(Context& context);
void vmm_scattered(Context& context);
void vmm_after_pause(Context& context);
void vmm_by_live_handles(Context& context);
void vmm_aliases(Context& context);
void vmm_read_by_backing(Context& context);

// vmm_concurrency.cpp
void vmm_waits_for_kernels(Context& context);
void vmm_threads(Context& context);
void vmm_beside_decode(Context& context);

// vmm_peer.cpp
void vmm_two_processes(Context& context);

}  // namespace stowage::probe
