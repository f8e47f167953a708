// Cases as text: for people, and as C++ to be kept.
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "sim/kv/registry.hpp"
#include "sim/sched/scheduler.hpp"
#include "tests/differential/random_scenario.hpp"

namespace stowage {
namespace {

std::string value_text(const ParamValue& value, bool as_cpp) {
  if (const auto* n = std::get_if<std::int64_t>(&value))
    return as_cpp ? fmt::format("std::int64_t{{{}}}", *n) : fmt::format("{}", *n);
  if (const auto* x = std::get_if<double>(&value))
    return as_cpp ? fmt::format("double{{{}}}", *x) : fmt::format("{}", *x);
  const auto& word = std::get<std::string>(value);
  return as_cpp ? fmt::format("std::string(\"{}\")", word) : word;
}

std::string list(const std::vector<double>& values) { return fmt::format("{{{}}}", fmt::join(values, ", ")); }

std::string cost_literal(const StepCost& cost) {
  if (cost.kind() == StepCost::Kind::linear) {
    const auto& l = cost.linear();
    return fmt::format("  c.config.cost = StepCost(StepCost::Linear{{{}, {}, {}, {}}});\n", l.base_ns,
                       l.per_prefill_token_ns, l.per_decode_seq_ns, l.per_kv_token_ns);
  }
  const auto& t = cost.table();
  const auto& d = t.decode;
  const auto& p = t.prefill;
  return fmt::format(
      "  c.config.cost = StepCost(StepCost::Table{{\n      {},\n      {},\n      {{{}, {}, {}, {}, {}, {}}},\n"
      "      {{{}, {}, {}, {}, {}, {}}},\n      {}, {{}}, 0, {{}}, {{{}, {}, {}}}}});\n",
      list(t.dense_ns), list(t.decode_dense_ns), d.c0, d.c0_per_seq, d.s0, d.c1, d.c1_per_seq, d.s1, p.ns_per_pair,
      p.ns_per_kv_token, p.fixed_ns, list(p.log2_q), list(p.log2_kv), list(p.utilisation), list(t.decode_scale),
      list(t.boost.ratio), list(t.boost.capacity_ns), list(t.boost.recharge));
}
}  // namespace

std::string Case::describe() const {
  const auto& s = config.scheduler;
  std::string out = fmt::format(
      "{} requests, {}, max_batch {}, max_batched_tokens {}, max_model_len {}{}{}; pool {} B, {} B a token, {} "
      "layers, {} GPUs; {}",
      requests.size(), s.policy, s.max_batch, s.max_batched_tokens, s.max_model_len,
      s.chunked_prefill ? "" : ", whole prompts",
      fmt::format("{}{}{}{}", s.admit_full ? "" : ", admit_full off", s.async_scheduling ? ", async" : "",
                  s.long_prefill_threshold > 0 ? fmt::format(", threshold {}", s.long_prefill_threshold) : "",
                  s.threshold_waived_alone ? " but alone" : ""),
      config.kv.pool.count(), config.kv.bytes_per_token.count(), config.kv.layers, config.kv.gpus, config.manager.kind);
  for (const auto& [key, value] : config.manager.params) out += fmt::format(" {}={}", key, value_text(value, false));
  if (config.cost.kind() == StepCost::Kind::linear) {
    const auto& l = config.cost.linear();
    out += fmt::format("; linear {} + {} P + {} B + {} S", l.base_ns, l.per_prefill_token_ns, l.per_decode_seq_ns,
                       l.per_kv_token_ns);
  } else {
    out += "; table cost";
  }
  if (row_of(config.manager).page(config.manager).count() > 0)
    out += fmt::format("; map {} set_access {} unmap {}", config.vmm.map_ns, config.vmm.set_access_ns,
                       config.vmm.unmap_ns);
  return out;
}

std::string Case::literal() const {
  const auto& s = config.scheduler;
  std::string out = "  Case c;\n";
  out += fmt::format(
      "  c.config.scheduler = {{.max_batch = {}, .max_batched_tokens = {}, .max_model_len = {},\n"
      "                        .chunked_prefill = {}, .admit_full = {}, .policy = \"{}\",\n"
      "                        .async_scheduling = {}, .long_prefill_threshold = {}, .threshold_waived_alone = {}}};\n",
      s.max_batch, s.max_batched_tokens, s.max_model_len, s.chunked_prefill, s.admit_full, s.policy,
      s.async_scheduling, s.long_prefill_threshold, s.threshold_waived_alone);
  out += fmt::format("  c.config.kv = {{Bytes{{{}}}, Bytes{{{}}}, {}, {}}};\n", config.kv.pool.count(),
                     config.kv.bytes_per_token.count(), config.kv.layers, config.kv.gpus);
  out += fmt::format("  c.config.manager.kind = c.config.manager.name = \"{}\";\n", config.manager.kind);
  for (const auto& [key, value] : config.manager.params)
    out += fmt::format("  c.config.manager.params[\"{}\"] = {};\n", key, value_text(value, true));
  out += cost_literal(config.cost);
  out += fmt::format("  c.config.vmm = {{0, {}, {}, {}, \"\"}};\n", config.vmm.map_ns, config.vmm.set_access_ns,
                     config.vmm.unmap_ns);
  const HostLoop& h = config.host_loop;
  out += fmt::format("  c.config.host_loop = {{{}, {}, {}, {}, {}, {}, {}}};\n", h.form_ns, h.form_per_request_ns,
                     h.launch_ns, h.launch_eager_ns, h.graph_tokens, h.update_ns, h.update_per_output_ns);
  out += "  c.requests = {";
  for (const auto& r : requests)
    out += fmt::format("{{{}, {}, {}, {}, {}}}, ", r.arrival_ns, r.prompt_tokens, r.output_tokens, r.id, r.max_tokens);
  out += "};\n";
  if (!follows.empty()) {
    out += "  c.follows = {";
    for (const auto& f : follows) out += fmt::format("{{{}, {}}}, ", f.after, f.think_ns);
    out += "};\n";
  }
  out += "  c.bind();\n";
  return out;
}

bool is_valid(const RunConfig& c) {
  const auto& s = c.scheduler;
  if (s.max_batch < 1 || s.max_batched_tokens < 1 || s.max_model_len < 2) return false;
  const SchedulerRow* policy = find_scheduler(s.policy);
  const ManagerRow* manager = find_manager(c.manager.kind);
  if (policy == nullptr || manager == nullptr || !policy->check(s).empty()) return false;
  if (c.kv.bytes_per_token.count() % c.kv.gpus != 0) return false;
  try {
    manager->check(c);
  } catch (const std::runtime_error&) { return false; }
  return true;
}
}  // namespace stowage
