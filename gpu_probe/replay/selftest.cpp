// The same requests served under every real manager must yield the same tokens, from the same logits to the bit: they
// compute one function, only the addresses differ. What is claimed is "identical schedules, identical results": a row
// of a matrix product may round otherwise in a product with other rows, so another schedule may sample otherwise.
//
// A planted wrong address is certain to show: the K and V of any other place are other random numbers, so that every
// later logit of that request changes in its last bits at least, whether or not the token does.
#include <fmt/format.h>

#include "gpu_probe/replay/passes.hpp"
#include "gpu_probe/replay/small_case.hpp"
#include "gpu_probe/selftest_cases.hpp"
#include "sim/kv/registry.hpp"
#include "sim/kv/vattention_shape.hpp"

namespace stowage::probe {
namespace {
using namespace stowage::replay;
using Tokens = std::map<std::uint64_t, std::vector<std::int32_t>>;

struct Served {
  Pass pass;
  Tokens tokens;
};

Served serve(StepRunner& runner, const ModelShape& shape, const RunConfig& config, PrefillLoader loader,
             Fault fault = Fault::none) {
  int device = 0;
  CUDA_CHECK(cudaGetDevice(&device));
  const auto store = make_store({&config, &shape, shape.layers, device, fault});
  runner.bind(store->views());
  const Stream stream = make_stream();
  Served out;
  out.pass = run_pass(runner, *store, config, loader, stream.get(), 11, "warm", &out.tokens);
  return out;
}

bool same_results(const Served& a, const Served& b) { return a.tokens == b.tokens && a.pass.logits == b.pass.logits; }

/// Did both run the same iterations?
bool same_schedule(const Pass& a, const Pass& b) {
  if (a.iterations.size() != b.iterations.size()) return false;
  for (std::size_t i = 0; i < a.iterations.size(); ++i) {
    const IterationRecord &x = a.iterations[i].record, &y = b.iterations[i].record;
    if (x.prefill_tokens != y.prefill_tokens || x.decode_seqs != y.decode_seqs ||
        x.decode_kv_tokens != y.decode_kv_tokens || x.running != y.running)
      return false;
  }
  return true;
}

void check_case(Checks& checks, const SmallCase& small, int sms) {
  const auto runs = small.runs();
  const SchedulerConfig& s = runs.front().scheduler;
  StepRunner runner(small.shape, small.shape.layers,
                    {.rows_max = static_cast<int>(s.max_batched_tokens),
                     .requests_max = static_cast<int>(s.max_batch),
                     .slots = static_cast<int>(s.max_batch),
                     .context_max = static_cast<int>(s.max_model_len)},
                    sms, 77);
  std::optional<Served> first;
  for (const RunConfig& config : runs) {
    const std::string what = fmt::format("replay {}, {}", small.name, config.manager.name);
    const KvLayout layout = row_of(config.manager).layout(config.manager);
    const bool paged = layout.block_tokens > 0;
    const Served got = serve(runner, small.shape, config, paged ? PrefillLoader::gather : PrefillLoader::tensor);
    if (!got.pass.result) {
      checks.add(fmt::format("{}: {}", what, got.pass.status), false);
      continue;
    }
    checks.add(
        fmt::format("{}: every request served, {} preemptions as it should", what, got.pass.result->preemptions),
        got.pass.result->completed == small.requests.size() && (got.pass.result->preemptions > 0) == small.preempts);
    if (!first) {
      first = got;
      continue;
    }
    checks.add(what + ": the same iterations, tokens and logits as " + runs.front().manager.name,
               same_schedule(got.pass, first->pass) && same_results(got, *first));
    if (paged) {
      checks.add(what + ": the same by the tensor loader",
                 same_results(serve(runner, small.shape, config, PrefillLoader::tensor), *first));
    }
    // A wrong offset is planted where a slot's one page holds more than any request.
    const bool one_page = layout.mapped && vattention_page_tokens(config) >= s.max_model_len + 16;
    const Fault fault = paged ? Fault::block_off_by_one : one_page ? Fault::page_off_by_one : Fault::none;
    if (fault == Fault::none) continue;
    const Served wrong = serve(runner, small.shape, config, PrefillLoader::tensor, fault);
    checks.add(what + ": a planted off-by-one shows in the logits",
               wrong.pass.result.has_value() && wrong.pass.logits != first->pass.logits);
  }
}
}  // namespace

void check_replay(Checks& checks) {
  if (!gemm_missing().empty()) {
    checks.add("replay left out: " + gemm_missing(), true);
    return;
  }
  int device = 0, sms = 0;
  CUDA_CHECK(cudaGetDevice(&device));
  CUDA_CHECK(cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, device));
  for (const SmallCase& small : small_cases()) check_case(checks, small, std::min(sms, 16));
}

}  // namespace stowage::probe
