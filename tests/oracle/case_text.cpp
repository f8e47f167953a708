// Cases as text: for people, and as C++ to be kept.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "tests/oracle/random_scenario.hpp"

namespace stowage {
namespace {

class InMemoryStream final : public RequestStream {
 public:
  explicit InMemoryStream(std::span<const Request> rest) : rest_(rest) {}
  std::size_t read(std::span<Request> out) override {
    const std::size_t n = std::min(out.size(), rest_.size());
    std::copy_n(rest_.begin(), n, out.begin());
    rest_ = rest_.subspan(n);
    return n;
  }

 private:
  std::span<const Request> rest_;
};

class InMemoryWorkload final : public Workload {
 public:
  explicit InMemoryWorkload(std::vector<Request> requests) : requests_(std::move(requests)) {}
  std::unique_ptr<RequestStream> open() const override { return std::make_unique<InMemoryStream>(requests_); }

 private:
  std::vector<Request> requests_;
};

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

std::shared_ptr<const Workload> in_memory(std::vector<Request> requests) {
  return std::make_shared<InMemoryWorkload>(std::move(requests));
}

std::string Case::describe() const {
  const auto& s = config.scheduler;
  std::string out = fmt::format(
      "{} requests, {}, max_batch {}, max_batched_tokens {}, max_model_len {}{}{}; pool {} B, {} B a token, {} "
      "layers, {} GPUs; {}",
      requests.size(), s.policy, s.max_batch, s.max_batched_tokens, s.max_model_len,
      s.chunked_prefill ? "" : ", whole prompts", s.admit_full ? "" : ", admit_full off",
      config.kv.pool.count(), config.kv.bytes_per_token.count(), config.kv.layers, config.kv.gpus, config.manager.kind);
  for (const auto& [key, value] : config.manager.params) out += fmt::format(" {}={}", key, value_text(value, false));
  if (config.cost.kind() == StepCost::Kind::linear) {
    const auto& l = config.cost.linear();
    out += fmt::format("; linear {} + {} P + {} B + {} S", l.base_ns, l.per_prefill_token_ns, l.per_decode_seq_ns,
                       l.per_kv_token_ns);
  } else {
    out += "; table cost";
  }
  if (config.manager.kind == "vattention")
    out += fmt::format("; map {} set_access {} unmap {}", config.vmm.map_ns, config.vmm.set_access_ns,
                       config.vmm.unmap_ns);
  return out;
}

std::string Case::literal() const {
  const auto& s = config.scheduler;
  std::string out = "  Case c;\n";
  out += fmt::format(
      "  c.config.scheduler = {{.max_batch = {}, .max_batched_tokens = {}, .max_model_len = {},\n"
      "                        .chunked_prefill = {}, .admit_full = {}, .policy = \"{}\"}};\n",
      s.max_batch, s.max_batched_tokens, s.max_model_len, s.chunked_prefill, s.admit_full, s.policy);
  out += fmt::format("  c.config.kv = {{Bytes{{{}}}, Bytes{{{}}}, {}, {}}};\n", config.kv.pool.count(),
                     config.kv.bytes_per_token.count(), config.kv.layers, config.kv.gpus);
  out += fmt::format("  c.config.manager.kind = c.config.manager.name = \"{}\";\n", config.manager.kind);
  for (const auto& [key, value] : config.manager.params)
    out += fmt::format("  c.config.manager.params[\"{}\"] = {};\n", key, value_text(value, true));
  out += cost_literal(config.cost);
  out += fmt::format("  c.config.vmm = {{0, {}, {}, {}, \"\"}};\n", config.vmm.map_ns, config.vmm.set_access_ns,
                     config.vmm.unmap_ns);
  out += "  c.requests = {";
  for (const auto& r : requests)
    out += fmt::format("{{{}, {}, {}, {}}}, ", r.arrival_ns, r.prompt_tokens, r.output_tokens, r.id);
  out += "};\n  c.bind();\n";
  return out;
}

bool is_valid(const RunConfig& c) {
  const auto& s = c.scheduler;
  if (s.max_batch < 1 || s.max_batched_tokens < 1 || s.max_model_len < 2) return false;
  if (!s.chunked_prefill && s.max_batched_tokens < s.max_model_len) return false;
  if (s.policy == "prefill-first" && (s.chunked_prefill || s.max_batched_tokens < s.max_batch)) return false;
  const std::int64_t pool = c.kv.pool.count(), bpt = c.kv.bytes_per_token.count();
  const auto& p = c.manager.params;
  const auto integer = [&](const char* key) { return std::get<std::int64_t>(p.at(key)); };
  const auto word = [&](const char* key) { return std::get<std::string>(p.at(key)); };
  if (c.manager.kind == "paged") return integer("block_size") >= 1 && pool >= integer("block_size") * bpt;
  if (c.manager.kind == "reserve") {
    if (word("space") == "slots") return word("length") == "max" && pool >= s.max_model_len * bpt;
    return pool >= bpt * (word("space") == "buddy" ? integer("min_block") : 1);
  }
  const std::int64_t tensors = word("layout") == "sliced" ? 2 : 2 * c.kv.layers;
  if (bpt % c.kv.gpus != 0) return false;
  return integer("page") * tensors >= bpt / c.kv.gpus && pool >= integer("page") * tensors * c.kv.gpus;
}
}  // namespace stowage
