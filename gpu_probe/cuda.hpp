#pragma once
// Owners for what CUDA hands out. Destructors free and, where that fails, log one line: they never throw.
// Compiles with g++ and nvcc; only the runtime's headers are needed.
#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>
#include <utility>

#include "base/error.hpp"

namespace stowage::probe {

/// A CUDA call failed. Kept apart from other trouble because most such errors leave the GPU's context unusable.
class CudaError : public EnvironmentError {
 public:
  using EnvironmentError::EnvironmentError;
};

[[noreturn]] void throw_cuda(cudaError_t status, const char* call, const char* file, int line);
void log_cuda(cudaError_t status, const char* call) noexcept;

#define CUDA_CHECK(call)                                                                    \
  do {                                                                                      \
    const cudaError_t status_ = (call);                                                     \
    if (status_ != cudaSuccess) ::stowage::probe::throw_cuda(status_, #call, __FILE__, __LINE__); \
  } while (false)

/// cudaMalloc; random data is the caller's to write (fill_random in basic_kernels.hpp).
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  explicit DeviceBuffer(std::size_t bytes) : bytes_(bytes) { CUDA_CHECK(cudaMalloc(&data_, bytes)); }
  DeviceBuffer(DeviceBuffer&& o) noexcept
      : data_(std::exchange(o.data_, nullptr)), bytes_(std::exchange(o.bytes_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(bytes_, o.bytes_);
    return *this;
  }
  ~DeviceBuffer() {
    if (data_ != nullptr) log_cuda(cudaFree(data_), "cudaFree");
  }
  template <class T = void>
  [[nodiscard]] T* as() const {
    return static_cast<T*>(data_);
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Page-locked host memory, mapped into the device's address space.
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  explicit PinnedBuffer(std::size_t bytes) : bytes_(bytes) {
    CUDA_CHECK(cudaHostAlloc(&data_, bytes, cudaHostAllocMapped | cudaHostAllocPortable));
  }
  PinnedBuffer(PinnedBuffer&& o) noexcept
      : data_(std::exchange(o.data_, nullptr)), bytes_(std::exchange(o.bytes_, 0)) {}
  PinnedBuffer& operator=(PinnedBuffer&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(bytes_, o.bytes_);
    return *this;
  }
  ~PinnedBuffer() {
    if (data_ != nullptr) log_cuda(cudaFreeHost(data_), "cudaFreeHost");
  }
  template <class T = void>
  [[nodiscard]] T* as() const {
    return static_cast<T*>(data_);
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// One handle type for what is a pointer with a destroy function.
template <class Handle, auto Destroy>
class CudaOwner {
 public:
  CudaOwner() = default;
  explicit CudaOwner(Handle handle) : handle_(handle) {}
  CudaOwner(CudaOwner&& o) noexcept : handle_(std::exchange(o.handle_, nullptr)) {}
  CudaOwner& operator=(CudaOwner&& o) noexcept {
    std::swap(handle_, o.handle_);
    return *this;
  }
  ~CudaOwner() {
    if (handle_ != nullptr) log_cuda(Destroy(handle_), "destroying a CUDA handle");
  }
  [[nodiscard]] Handle get() const { return handle_; }

 private:
  Handle handle_ = nullptr;
};
using Stream = CudaOwner<cudaStream_t, cudaStreamDestroy>;
using Event = CudaOwner<cudaEvent_t, cudaEventDestroy>;
using GraphExec = CudaOwner<cudaGraphExec_t, cudaGraphExecDestroy>;
using Graph = CudaOwner<cudaGraph_t, cudaGraphDestroy>;

[[nodiscard]] Stream make_stream();         // non-blocking: does not wait for the legacy stream
[[nodiscard]] Event make_event();           // with timing
[[nodiscard]] double elapsed_us(const Event& start, const Event& stop);

/// Captures what `record(stream)` queues into an executable graph.
template <class Record>
[[nodiscard]] GraphExec capture_graph(cudaStream_t stream, Record&& record) {
  CUDA_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  cudaGraph_t raw = nullptr;
  try {
    record(stream);
  } catch (...) {
    log_cuda(cudaStreamEndCapture(stream, &raw), "cudaStreamEndCapture");
    const Graph discard(raw);
    throw;
  }
  CUDA_CHECK(cudaStreamEndCapture(stream, &raw));
  const Graph graph(raw);
  cudaGraphExec_t exec = nullptr;
  CUDA_CHECK(cudaGraphInstantiate(&exec, graph.get(), 0));
  return GraphExec(exec);
}

}  // namespace stowage::probe
