#include "gpu_probe/replay/passes.hpp"

#include <fmt/format.h>

#include "sim/serve/simulate.hpp"
#include "traces/workload.hpp"

namespace stowage::replay {
namespace {
double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The real calls must be those that the engine decided on.
void check_calls(const RunResult& result, const DriverTotals& driver) {
  if (driver.map_calls != result.vmm.map_calls || driver.unmap_calls != result.vmm.unmap_calls)
    throw std::logic_error(
        fmt::format("replay: {} map and {} unmap calls made, the engine counts {} and {}; a bug: "
                    "please report",
                    driver.map_calls, driver.unmap_calls, result.vmm.map_calls, result.vmm.unmap_calls));
}
}  // namespace

Pass run_pass(probe::StepRunner& runner, KvStore& store, const RunConfig& config, probe::PrefillLoader loader,
              cudaStream_t stream, std::uint64_t seed, std::string state,
              std::map<std::uint64_t, std::vector<std::int32_t>>* tokens) {
  Pass pass;
  pass.state = std::move(state);
  try {
    store.reset();
    Session session(runner, store, config.scheduler.max_batch, loader, seed, tokens != nullptr, stream);
    RunHooks hooks;
    hooks.executor = &session;
    hooks.on_request = [&](const RequestRecord& r) { pass.requests.push_back(r); };
    hooks.on_iteration = [&](const IterationRecord& r) {
      session.last().record = r;
      pass.iterations.push_back(session.last());
    };
    const auto began = std::chrono::steady_clock::now();
    RunResult result = simulate(config, hooks);
    pass.driver = session.driver();
    pass.gpu = session.gpu_at_end();
    check_calls(result, pass.driver);
    result.vmm.busy_ns = static_cast<double>(pass.driver.map_ns + pass.driver.set_access_ns + pass.driver.unmap_ns);
    result.wall_ns = static_cast<std::int64_t>(seconds_since(began) * 1e9);
    pass.result = std::move(result);
    pass.tokens = session.tokens().fingerprint();
    pass.logits = session.logits();
    pass.first_logits = session.first_logits();
    if (tokens != nullptr) *tokens = session.tokens().sequences();
  } catch (const Interrupted&) { pass.status = "interrupted"; } catch (const std::exception& e) {
    pass.status = fmt::format("failed: {}", e.what());
  }
  return pass;
}

double warm_up(probe::StepRunner& runner, KvStore& store, const RunConfig& config, probe::PrefillLoader loader,
               cudaStream_t stream) {
  const auto began = std::chrono::steady_clock::now();
  const auto& limits = config.scheduler;
  RunConfig small = config;
  const auto run = [&](std::vector<Request> requests) {
    small.workload = inline_workload(std::move(requests));
    const Pass pass = run_pass(runner, store, small, loader, stream, 1, "warm-up");
    if (pass.status == "interrupted") throw Interrupted();
    if (!pass.result) throw EnvironmentError("warm-up " + pass.status);
  };
  const std::int64_t most = std::min(limits.max_batched_tokens, limits.max_model_len - 1);
  // The first product of a size loads its kernel, which takes milliseconds.
  for (std::int64_t rows = 8; rows <= most; rows += rows < 256 ? 8 : rows < 2048 ? 64 : 512)
    run({{0, static_cast<std::int32_t>(rows), 1, 0}});
  // Eight requests end every third iteration, so that each batch a graph is kept for runs eagerly and as a graph.
  std::vector<Request> decoders;
  const auto room = static_cast<std::int32_t>(std::min<std::int64_t>(limits.max_model_len, 1 << 20));
  for (std::int64_t i = 0; i < limits.max_batch; ++i) {
    const auto output = std::min<std::int32_t>(room - 8, static_cast<std::int32_t>(3 + 3 * ((i + 7) / 8)));
    if (output >= 1) decoders.push_back({0, 8, output, 0});
  }
  run(std::move(decoders));
  return seconds_since(began);
}

}  // namespace stowage::replay
