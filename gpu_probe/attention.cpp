// Part attention: decode and prefill kernels by KV layout.
#include "gpu_probe/attention_bench.hpp"

namespace stowage::probe {
namespace {
std::optional<std::string> unsupported(const Context& context) {
  const int dim = context.model().head_dim;
  if (dim != 64 && dim != 128) return "no attention kernel for heads of " + std::to_string(dim);
  if (context.model().heads / context.model().kv_heads > 8)
    return "no attention kernel for more than 8 query heads a KV head";
  return std::nullopt;
}

void run(Context& context) {
  measure_decode(context);
  if (!context.interrupted()) measure_prefill(context);
}
}  // namespace

const Part attention_part = {
    "attention", "decode and prefill attention: contiguous and paged layouts in one kernel each", unsupported, run};

}  // namespace stowage::probe
