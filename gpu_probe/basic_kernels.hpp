#pragma once
// The plain kernels that several parts share. All launchers queue on `stream` and check the launch.
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace stowage::probe {

void launch_empty(cudaStream_t stream);
/// Runs for `ns` by the GPU's own clock on one thread; sets *started (pinned) to 1 first when given.
void launch_spin(cudaStream_t stream, std::uint64_t ns, std::uint32_t* started = nullptr);
/// Waits until *flag (pinned) is 1, at most 2 s.
void launch_gate(cudaStream_t stream, const std::uint32_t* flag);
/// Reads `bytes` (a multiple of 16) once, 16 bytes a thread, several loads in flight: the ceiling of a decode kernel.
/// `sink` (one uint32) takes a result that no input gives, so that the loads stay.
void launch_read(cudaStream_t stream, const void* data, std::size_t bytes, std::uint32_t* sink, int sms);
/// Writes uniformly random 32-bit words; as bf16 pairs they are spread over [-1, 1) when `bf16` is set.
void launch_fill_random(cudaStream_t stream, void* data, std::size_t bytes, std::uint64_t seed, bool bf16);
/// Adds up all 32-bit words (mod 2^64) into *sum (device), which the caller zeroed.
void launch_checksum(cudaStream_t stream, const void* data, std::size_t bytes, unsigned long long* sum);
/// Every SM writes {clock64, globaltimer} at stamps[2 * smid] (pinned).
void launch_stamp(cudaStream_t stream, std::uint64_t* stamps, int sms);
/// Copies `count` blocks of block_bytes (a multiple of 16) from src + index[i] * block_bytes to dst + i * block_bytes,
/// or the other way round when `scatter`. Either side may be pinned host memory.
void launch_move_blocks(cudaStream_t stream, const void* src, void* dst, const std::uint32_t* index, int count,
                        std::size_t block_bytes, bool scatter);

}  // namespace stowage::probe
