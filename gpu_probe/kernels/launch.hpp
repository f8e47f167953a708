#pragma once
// Launching a kernel with programmatic serialisation: its blocks may start while the kernel before drains. Every kernel
// launched so begins with griddepcontrol.wait before it touches what that kernel wrote.
#include <cuda_runtime.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace stowage::probe {

inline void check_launch(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
}

template <class... Params, class... Args>
void launch_after(void (*kernel)(Params...), dim3 grid, dim3 threads, std::size_t shared_bytes, cudaStream_t stream,
                  const char* what, Args&&... args) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = threads;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  cudaLaunchAttribute attribute[1];
  attribute[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute[0].val.programmaticStreamSerializationAllowed = 1;
  config.attrs = attribute;
  config.numAttrs = 1;
  check_launch(cudaLaunchKernelEx(&config, kernel, std::forward<Args>(args)...), what);
}

}  // namespace stowage::probe
