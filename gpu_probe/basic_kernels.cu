#include <algorithm>

#include "gpu_probe/basic_kernels.hpp"
#include "gpu_probe/cuda.hpp"

namespace stowage::probe {
namespace {
__device__ std::uint64_t global_ns() {
  std::uint64_t ns;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(ns));
  return ns;
}

__global__ void empty_kernel() {}

__global__ void spin_kernel(std::uint64_t ns, std::uint32_t* started) {
  const std::uint64_t start = global_ns();
  if (started != nullptr) {
    *reinterpret_cast<volatile std::uint32_t*>(started) = 1;
    __threadfence_system();
  }
  while (global_ns() - start < ns) __nanosleep(500);
}

__global__ void gate_kernel(const std::uint32_t* flag) {
  const std::uint64_t start = global_ns();
  while (*reinterpret_cast<const volatile std::uint32_t*>(flag) == 0 && global_ns() - start < 2'000'000'000ULL) {}
}

constexpr int read_threads = 512;
constexpr int read_unroll = 8;

/// Each block takes every gridDim-th tile of 64 KiB, so that all SMs walk through memory side by side.
__global__ void __launch_bounds__(read_threads) read_kernel(const uint4* data, std::size_t n, std::uint32_t* sink) {
  std::uint32_t acc = 0;
  constexpr std::size_t tile = std::size_t{read_threads} * read_unroll;
  std::size_t base = blockIdx.x * tile;
  for (; base + tile <= n; base += gridDim.x * tile) {
    uint4 v[read_unroll];
#pragma unroll
    for (int k = 0; k < read_unroll; ++k) v[k] = __ldcs(data + base + k * read_threads + threadIdx.x);
#pragma unroll
    for (int k = 0; k < read_unroll; ++k) acc ^= v[k].x ^ v[k].y ^ v[k].z ^ v[k].w;
  }
  for (std::size_t i = base + threadIdx.x; i < n && i < base + tile; i += read_threads) acc ^= data[i].x ^ data[i].w;
  if (acc == 0x5a17c0deU) *sink = acc;
}

__device__ std::uint64_t mix(std::uint64_t x) {  // splitmix64's finaliser
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// A uniform value in [-1, 1) with 8 significant bits, as the upper half of a float: a bf16.
__device__ std::uint32_t bf16_bits(std::uint32_t random) {
  const float value = static_cast<float>(static_cast<int>(random & 0xff) - 128) * (1.0F / 128);
  return __float_as_uint(value) >> 16;
}

__global__ void random_kernel(std::uint32_t* data, std::size_t words, std::uint64_t seed, bool bf16) {
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < words; i += stride) {
    const auto r = static_cast<std::uint32_t>(mix(seed ^ (i * 0x2545f4914f6cdd1dULL)) >> 16);
    data[i] = bf16 ? bf16_bits(r) | (bf16_bits(r >> 8) << 16) : r;
  }
}

__global__ void checksum_kernel(const std::uint32_t* data, std::size_t words, unsigned long long* sum) {
  unsigned long long acc = 0;
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < words; i += stride) acc += data[i];
  atomicAdd(sum, acc);
}

__global__ void stamp_kernel(std::uint64_t* stamps) {
  if (threadIdx.x != 0) return;
  unsigned sm;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
  stamps[2 * sm] = static_cast<std::uint64_t>(clock64());
  stamps[2 * sm + 1] = global_ns();
}

/// One block (of threads) a block (of memory).
__global__ void move_kernel(const char* src, char* dst, const std::uint32_t* index, std::size_t block_bytes,
                            bool scatter) {
  const std::size_t near = blockIdx.x * block_bytes;
  const std::size_t far = index[blockIdx.x] * block_bytes;
  const uint4* from = reinterpret_cast<const uint4*>(src + (scatter ? near : far));
  uint4* to = reinterpret_cast<uint4*>(dst + (scatter ? far : near));
  for (std::size_t i = threadIdx.x; i < block_bytes / sizeof(uint4); i += blockDim.x) to[i] = from[i];
}
}  // namespace

void launch_empty(cudaStream_t stream) {
  empty_kernel<<<1, 1, 0, stream>>>();
  CUDA_CHECK(cudaGetLastError());
}

void launch_spin(cudaStream_t stream, std::uint64_t ns, std::uint32_t* started) {
  spin_kernel<<<1, 1, 0, stream>>>(ns, started);
  CUDA_CHECK(cudaGetLastError());
}

void launch_gate(cudaStream_t stream, const std::uint32_t* flag) {
  gate_kernel<<<1, 1, 0, stream>>>(flag);
  CUDA_CHECK(cudaGetLastError());
}

void launch_read(cudaStream_t stream, const void* data, std::size_t bytes, std::uint32_t* sink, int sms) {
  const std::size_t n = bytes / sizeof(uint4);
  const std::size_t tiles = (n + read_threads * read_unroll - 1) / (read_threads * read_unroll);
  const auto blocks = static_cast<unsigned>(std::min<std::size_t>(tiles, static_cast<std::size_t>(sms) * 4));
  read_kernel<<<blocks, read_threads, 0, stream>>>(static_cast<const uint4*>(data), n, sink);
  CUDA_CHECK(cudaGetLastError());
}

void launch_fill_random(cudaStream_t stream, void* data, std::size_t bytes, std::uint64_t seed, bool bf16) {
  random_kernel<<<2048, 256, 0, stream>>>(static_cast<std::uint32_t*>(data), bytes / 4, seed, bf16);
  CUDA_CHECK(cudaGetLastError());
}

void launch_checksum(cudaStream_t stream, const void* data, std::size_t bytes, unsigned long long* sum) {
  checksum_kernel<<<1024, 256, 0, stream>>>(static_cast<const std::uint32_t*>(data), bytes / 4, sum);
  CUDA_CHECK(cudaGetLastError());
}

void launch_stamp(cudaStream_t stream, std::uint64_t* stamps, int sms) {
  stamp_kernel<<<static_cast<unsigned>(sms), 32, 0, stream>>>(stamps);
  CUDA_CHECK(cudaGetLastError());
}

void launch_move_blocks(cudaStream_t stream, const void* src, void* dst, const std::uint32_t* index, int count,
                        std::size_t block_bytes, bool scatter) {
  move_kernel<<<static_cast<unsigned>(count), 256, 0, stream>>>(static_cast<const char*>(src), static_cast<char*>(dst),
                                                                index, block_bytes, scatter);
  CUDA_CHECK(cudaGetLastError());
}

}  // namespace stowage::probe
