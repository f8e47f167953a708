#include "gpu_probe/gemm.hpp"

#include <cublasLt.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <array>

namespace stowage::probe {
namespace {

constexpr std::size_t kWorkspaceBytes = std::size_t{64} << 20;

/// The calls used here. The library is never unloaded.
struct Library {
  decltype(&::cublasLtCreate) create = nullptr;
  decltype(&::cublasLtDestroy) destroy = nullptr;
  decltype(&::cublasLtGetVersion) version = nullptr;
  decltype(&::cublasLtMatmulDescCreate) desc_create = nullptr;
  decltype(&::cublasLtMatmulDescSetAttribute) desc_set = nullptr;
  decltype(&::cublasLtMatmulDescDestroy) desc_destroy = nullptr;
  decltype(&::cublasLtMatrixLayoutCreate) layout_create = nullptr;
  decltype(&::cublasLtMatrixLayoutDestroy) layout_destroy = nullptr;
  decltype(&::cublasLtMatmulPreferenceCreate) preference_create = nullptr;
  decltype(&::cublasLtMatmulPreferenceSetAttribute) preference_set = nullptr;
  decltype(&::cublasLtMatmulPreferenceDestroy) preference_destroy = nullptr;
  decltype(&::cublasLtMatmulAlgoGetHeuristic) heuristic = nullptr;
  decltype(&::cublasLtMatmulAlgoConfigGetAttribute) algo_get = nullptr;
  decltype(&::cublasLtMatmul) matmul = nullptr;
  std::string missing;
};

Library load() {
  Library l;
  void* library = nullptr;
  // The loader's own path first (LD_LIBRARY_PATH included), then where the toolkit installs itself.
  for (const char* name : {"libcublasLt.so.13", "/usr/local/cuda/lib64/libcublasLt.so.13"}) {
    library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) break;
  }
  if (library == nullptr) {
    l.missing = "libcublasLt.so.13 is not on the library path (LD_LIBRARY_PATH can name its folder)";
    return l;
  }
  const auto look_up = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
    if (function == nullptr) l.missing = fmt::format("libcublasLt has no {}", name);
  };
  look_up(l.create, "cublasLtCreate");
  look_up(l.destroy, "cublasLtDestroy");
  look_up(l.version, "cublasLtGetVersion");
  look_up(l.desc_create, "cublasLtMatmulDescCreate");
  look_up(l.desc_set, "cublasLtMatmulDescSetAttribute");
  look_up(l.desc_destroy, "cublasLtMatmulDescDestroy");
  look_up(l.layout_create, "cublasLtMatrixLayoutCreate");
  look_up(l.layout_destroy, "cublasLtMatrixLayoutDestroy");
  look_up(l.preference_create, "cublasLtMatmulPreferenceCreate");
  look_up(l.preference_set, "cublasLtMatmulPreferenceSetAttribute");
  look_up(l.preference_destroy, "cublasLtMatmulPreferenceDestroy");
  look_up(l.heuristic, "cublasLtMatmulAlgoGetHeuristic");
  look_up(l.algo_get, "cublasLtMatmulAlgoConfigGetAttribute");
  look_up(l.matmul, "cublasLtMatmul");
  return l;
}

const Library& library() {
  static const Library loaded = load();
  return loaded;
}

void check(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw EnvironmentError(fmt::format("cuBLASLt: status {} in {}", static_cast<int>(status), call));
}
}  // namespace

const std::string& gemm_missing() { return library().missing; }

/// cuBLASLt is column-major: y^T [n][m] = w^T-transposed [n][k] times x^T [k][m].
struct Gemm::Plan {
  cublasLtMatmulDesc_t desc = nullptr;
  cublasLtMatrixLayout_t w = nullptr, x = nullptr, y = nullptr;
  cublasLtMatmulHeuristicResult_t chosen = {};

  Plan(cublasLtHandle_t handle, int m, int n, int k) {
    const Library& l = library();
    const auto rows = [](int v) { return static_cast<std::uint64_t>(v); };
    check(l.desc_create(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescCreate");
    const cublasOperation_t transposed = CUBLAS_OP_T;
    check(l.desc_set(desc, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed),
          "cublasLtMatmulDescSetAttribute");
    check(l.layout_create(&w, CUDA_R_16BF, rows(k), rows(n), k), "cublasLtMatrixLayoutCreate");
    check(l.layout_create(&x, CUDA_R_16BF, rows(k), rows(m), k), "cublasLtMatrixLayoutCreate");
    check(l.layout_create(&y, CUDA_R_16BF, rows(n), rows(m), n), "cublasLtMatrixLayoutCreate");
    cublasLtMatmulPreference_t preference = nullptr;
    check(l.preference_create(&preference), "cublasLtMatmulPreferenceCreate");
    const std::size_t workspace = kWorkspaceBytes;
    int found = 0;
    cublasStatus_t status =
        l.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace);
    if (status == CUBLAS_STATUS_SUCCESS) status = l.heuristic(handle, desc, w, x, y, y, preference, 1, &chosen, &found);
    l.preference_destroy(preference);
    check(status, "cublasLtMatmulAlgoGetHeuristic");
    if (found == 0) throw EnvironmentError(fmt::format("cuBLASLt has no algorithm for {} x {} x {}", m, n, k));
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    const Library& l = library();
    if (y != nullptr) l.layout_destroy(y);
    if (x != nullptr) l.layout_destroy(x);
    if (w != nullptr) l.layout_destroy(w);
    if (desc != nullptr) l.desc_destroy(desc);
  }
};

Gemm::Gemm() : workspace_() {
  if (!gemm_missing().empty()) throw EnvironmentError(gemm_missing());
  workspace_ = DeviceBuffer(kWorkspaceBytes);
  cublasLtHandle_t handle = nullptr;
  check(library().create(&handle), "cublasLtCreate");
  handle_ = handle;
}

Gemm::~Gemm() {
  plans_.clear();
  if (handle_ != nullptr) library().destroy(static_cast<cublasLtHandle_t>(handle_));
}

std::size_t Gemm::version() const { return library().version(); }

Gemm::Plan& Gemm::plan(int m, int n, int k) {
  auto& slot = plans_[{m, n, k}];
  if (slot == nullptr) slot = std::make_unique<Plan>(static_cast<cublasLtHandle_t>(handle_), m, n, k);
  return *slot;
}

GemmAlgorithm Gemm::prepare(int m, int n, int k) {
  const Plan& p = plan(m, n, k);
  GemmAlgorithm out;
  const auto get = [&](cublasLtMatmulAlgoConfigAttributes_t what, int& value) {
    std::size_t written = 0;
    std::int32_t raw = 0;
    if (library().algo_get(&p.chosen.algo, what, &raw, sizeof raw, &written) == CUBLAS_STATUS_SUCCESS) value = raw;
  };
  get(CUBLASLT_ALGO_CONFIG_ID, out.id);
  get(CUBLASLT_ALGO_CONFIG_TILE_ID, out.tile);
  get(CUBLASLT_ALGO_CONFIG_STAGES_ID, out.stages);
  get(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, out.split_k);
  return out;
}

void Gemm::run(cudaStream_t stream, const void* x, const void* w, void* y, int m, int n, int k) {
  const Plan& p = plan(m, n, k);
  const float one = 1, zero = 0;
  check(library().matmul(static_cast<cublasLtHandle_t>(handle_), p.desc, &one, w, p.w, x, p.x, &zero, y, p.y, y, p.y,
                         &p.chosen.algo, workspace_.as<>(), workspace_.bytes(), stream),
        "cublasLtMatmul");
}

}  // namespace stowage::probe
