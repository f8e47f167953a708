#include "gpu_probe/cuda.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstring>

namespace stowage::probe {

void throw_cuda(cudaError_t status, const char* call, const char* file, int line) {
  const char* slash = std::strrchr(file, '/');
  throw CudaError(fmt::format("CUDA: {} ({}) in {} at {}:{}", cudaGetErrorString(status), cudaGetErrorName(status),
                              call, slash != nullptr ? slash + 1 : file, line));
}

void log_cuda(cudaError_t status, const char* call) noexcept {
  // At exit the driver may already be gone: nothing is left to free then.
  if (status == cudaSuccess || status == cudaErrorCudartUnloading) return;
  std::fprintf(stderr, "gpu_probe: warning: %s: %s\n", call, cudaGetErrorString(status));
}

Stream make_stream() {
  cudaStream_t stream = nullptr;
  CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return Stream(stream);
}

Event make_event() {
  cudaEvent_t event = nullptr;
  CUDA_CHECK(cudaEventCreate(&event));
  return Event(event);
}

double elapsed_us(const Event& start, const Event& stop) {
  float ms = 0;
  CUDA_CHECK(cudaEventElapsedTime(&ms, start.get(), stop.get()));
  return static_cast<double>(ms) * 1e3;
}

}  // namespace stowage::probe
