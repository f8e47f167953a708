// What there is to know about `vattention` without running it; its class is in vattention.cpp.
#include "base/config.hpp"
#include "base/error.hpp"
#include "sim/kv/rows.hpp"
#include "sim/kv/vattention_shape.hpp"

namespace stowage {
namespace {

constexpr ParamSpec params[] = {
    {"page", ParamType::bytes, "2MiB", "", 4096, 1LL << 34, "physical page mapped at a time, in each tensor",
     "1B 64B 1000B 4KiB 64KiB 2MiB 30MiB"},
    {"layout", ParamType::choice, "per-layer", "per-layer sliced", 0, 0, "K and V tensors per layer, or one of each"},
    {"mapping", ParamType::choice, "background", "sync background", 0, 0, "map when needed, or ahead beside the step"},
    {"lookahead", ParamType::count, "9", "", 0, 4096, "tokens the mapper looks ahead",
     "9 9 0 1 2 5 12"},
    {"lookahead_blocks", ParamType::count, "2", "", 0, 1 << 20, "blocks after which a mapper run stops looking ahead",
     "2 2 0 1 3 4"},
    {"reclaim", ParamType::choice, "deferred", "eager deferred", 0, 0, "unmap when a request ends, or when needed"},
};

constexpr std::string_view contract_cases[] = {
    "page=16KiB reclaim=deferred mapping=sync", "page=16KiB reclaim=deferred mapping=background",
    "page=16KiB reclaim=eager mapping=sync", "page=16KiB reclaim=eager mapping=background"};

std::string default_name(const ManagerSpec& spec) {
  std::string name = "vattention-" + format_bytes(Bytes{spec.integer("page")});
  if (spec.choice("layout") != "per-layer") name += "-" + spec.choice("layout");
  if (spec.choice("mapping") != "background") name += "-" + spec.choice("mapping");
  if (spec.choice("reclaim") != "deferred") name += "-" + spec.choice("reclaim");
  return name;
}

void check(const RunConfig& config) {
  if (vattention_page_tokens(config) < 1)
    throw InputError({}, "a page of " + format_bytes(Bytes{config.manager.integer("page")}) +
                             " is smaller than one token's share of a tensor; use a larger page");
  const std::int64_t block = vattention_block_bytes(config);
  if (config.kv.pool.count() < block)
    throw InfeasibleError("the KV pool of " + std::to_string(config.kv.pool.count()) +
                          " bytes holds not one page in each tensor (" + std::to_string(block) +
                          " bytes); give it more memory or use a smaller page");
}
LeastHeld least_held(const RunConfig& config) { return {vattention_page_tokens(config)}; }
constexpr FitCase fit_cases[] = {{"vattention 64KiB", "page=64KiB"},
                                 {"vattention 128KiB", "page=128KiB"},
                                 {"vattention 256KiB", "page=256KiB"},
                                 {"vattention 2MiB", "page=2MiB"},
                                 {"vattention 2MiB sliced", "page=2MiB layout=sliced"}};
/// Half of the last page is unused in each tensor.
HeldAtEnd held_at_end(const RunConfig& config, std::int64_t prompt, std::int64_t output) {
  const std::int64_t block = vattention_block_bytes(config), page = vattention_page_tokens(config);
  return {(prompt + output - 1 + page - 1) / page * block, static_cast<double>(block) / 2};
}
KvLayout layout(const ManagerSpec&) { return {0, true}; }
Bytes page(const ManagerSpec& spec) { return Bytes{spec.integer("page")}; }
}  // namespace

ManagerRow vattention_row() {
  return {"vattention", "contiguous virtual memory, physical pages mapped on demand (vAttention)", "none", params,
          "page", contract_cases, default_name, check, least_held, fit_cases, held_at_end, layout, page, true, nullptr,
          make_vattention};
}
}  // namespace stowage
