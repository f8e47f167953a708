#pragma once
// bf16 matrix products by cuBLASLt, loaded at run time. One algorithm a (m, n, k), chosen once by the library's
// heuristics and then kept, so that a shape's time does not depend on when it is asked for.
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "gpu_probe/cuda.hpp"

namespace stowage::probe {

/// Rows a step's products are run at for `rows` tokens: vLLM's CUDA-graph capture sizes to 256 (1, 2, 4, 8, 16, 24, …),
/// then multiples of 64. So what a step runs is what part `gemm` can measure.
[[nodiscard]] constexpr int padded_rows(int rows) {
  if (rows <= 2) return rows;
  if (rows <= 4) return 4;
  if (rows <= 256) return (rows + 7) / 8 * 8;
  return (rows + 63) / 64 * 64;
}

/// Why cuBLASLt cannot be used here, or empty.
[[nodiscard]] const std::string& gemm_missing();

/// What the heuristics chose, in cuBLASLt's numbers.
struct GemmAlgorithm {
  int id = -1, tile = -1, stages = -1, split_k = 1;
};

class Gemm {
 public:
  /// Throws EnvironmentError when cuBLASLt is not there.
  Gemm();
  ~Gemm();
  Gemm(const Gemm&) = delete;
  Gemm& operator=(const Gemm&) = delete;

  /// y[m][n] = x[m][k] w[n][k]^T, all bf16, row-major and dense, sums in float. n and k multiples of 8.
  void run(cudaStream_t stream, const void* x, const void* w, void* y, int m, int n, int k);
  /// Chooses the algorithm now, so that a later run() may be captured.
  GemmAlgorithm prepare(int m, int n, int k);
  [[nodiscard]] std::size_t version() const;

 private:
  struct Plan;
  Plan& plan(int m, int n, int k);

  void* handle_ = nullptr;
  DeviceBuffer workspace_;
  std::map<std::tuple<int, int, int>, std::unique_ptr<Plan>> plans_;
};

}  // namespace stowage::probe
