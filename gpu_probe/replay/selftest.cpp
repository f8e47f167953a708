// The same requests served under every real manager must yield the same tokens, from the same logits to the bit: they
// compute one function, only the addresses differ. What is claimed is "identical schedules, identical results": a row
// of a matrix product may round otherwise in a product with other rows, so another schedule may sample otherwise.
//
// A planted wrong address is certain to show: the K and V of any other place are other random numbers, so that every
// later logit of that request changes in its last bits at least, whether or not the token does. The same holds for a
// block that is shared wrongly.
#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "gpu_probe/replay/passes.hpp"
#include "gpu_probe/replay/small_case.hpp"
#include "gpu_probe/selftest_cases.hpp"
#include "sim/kv/registry.hpp"
#include "sim/kv/vattention_shape.hpp"
#include "sim/serve/simulate.hpp"

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

StepRunner runner_for(const SmallCase& small, const SchedulerConfig& s, int sms) {
  return StepRunner(small.shape, small.shape.layers,
                    {.rows_max = static_cast<int>(s.max_batched_tokens),
                     .requests_max = static_cast<int>(s.max_batch),
                     .slots = static_cast<int>(s.max_batch),
                     .context_max = static_cast<int>(s.max_model_len)},
                    sms, 77);
}

void check_case(Checks& checks, const SmallCase& small, int sms) {
  const auto runs = small.runs();
  const SchedulerConfig& s = runs.front().scheduler;
  StepRunner runner = runner_for(small, s, sms);
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
/// Largest distance of the logits of a request's first output, relative to their length.
double first_logits_apart(const Pass& a, const Pass& b) {
  const auto value = [](std::uint16_t bf16) { return std::bit_cast<float>(std::uint32_t{bf16} << 16); };
  double most = 0;
  for (const auto& [id, x] : a.first_logits) {
    const auto other = b.first_logits.find(id);
    if (other == b.first_logits.end()) return std::numeric_limits<double>::infinity();
    double apart = 0, length = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double d = value(x[i]) - value(other->second[i]);
      apart += d * d;
      length += static_cast<double>(value(other->second[i])) * value(other->second[i]);
    }
    most = std::max(most, std::sqrt(apart / length));
  }
  return most;
}

/// A prompt whose head was found must be answered as if all of it had been computed. Another schedule rounds otherwise,
/// so the first logits are compared within what rounding does; a wrong block makes them others altogether.
void check_sharing(Checks& checks, int sms) {
  constexpr double rounding = 0.03;
  const SmallCase small = sharing_case();
  const auto runs = small.runs();
  StepRunner runner = runner_for(small, runs.front().scheduler, sms);
  const Served alone = serve(runner, small.shape, runs.back(), PrefillLoader::gather);
  checks.add("replay sharing, without prefix caching: " + alone.pass.status, alone.pass.result.has_value());
  for (const RunConfig& config : std::span(runs).first(runs.size() - 1)) {
    const std::string what = fmt::format("replay {}, {}", small.name, config.manager.name);
    const Served got = serve(runner, small.shape, config, PrefillLoader::gather);
    checks.add(fmt::format("{}: {}", what, got.pass.status), got.pass.result.has_value());
    if (!got.pass.result || !alone.pass.result) continue;
    const RunResult simulated = simulate(config, {});
    checks.add(fmt::format("{}: {} tokens hit in {} iterations, as simulated", what, got.pass.result->prefix.hit_tokens,
                           got.pass.result->iterations),
               got.pass.result->prefix.hit_tokens == simulated.prefix.hit_tokens &&
                   got.pass.result->iterations == simulated.iterations && simulated.prefix.hit_tokens > 0);
    const double apart = first_logits_apart(got.pass, alone.pass);
    checks.add(fmt::format("{}: first logits {:.4f} from those of prompts computed in full", what, apart),
               apart < rounding);
    checks.add(what + ": the same by the tensor loader",
               same_results(serve(runner, small.shape, config, PrefillLoader::tensor), got));
    for (const auto& [fault, name] : {std::pair{Fault::shared_off_by_one, "block next to the one found"},
                                      std::pair{Fault::freed_while_shared, "block freed while shared"},
                                      std::pair{Fault::evicted_while_held, "block evicted while held"}}) {
      const Served wrong = serve(runner, small.shape, config, PrefillLoader::gather, fault);
      checks.add(fmt::format("{}: a planted {} shows in the logits", what, name),
                 wrong.pass.result.has_value() && wrong.pass.logits != got.pass.logits);
      if (fault != Fault::shared_off_by_one) continue;
      const double away = first_logits_apart(wrong.pass, got.pass);
      checks.add(fmt::format("{}: and in the first ones, {:.4f} away", what, away), away > 2 * rounding);
    }
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
  check_sharing(checks, std::min(sms, 16));
}

}  // namespace stowage::probe
