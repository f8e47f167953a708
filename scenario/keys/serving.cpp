// Keys of how a replica is built and run: cluster, memory, scheduler, host, frontend, cost.
#include <array>

#include "scenario/keys/tables.hpp"
#include "sim/sched/scheduler.hpp"
#include "sim/serve/router.hpp"

namespace stowage::keys {
namespace {
constexpr std::int64_t degree_max = 1024, spread_max = 65536;
constexpr std::int64_t batched_tokens_max = 1 << 20;  // the price table has a row for each
constexpr std::int64_t batch_max = 1 << 16;
constexpr std::int64_t int64_max = INT64_MAX;
constexpr double step_term_max_ns = 3600e9;  // one hour: sums over a run stay far from the end of the clock
constexpr double token_term_max_ns = 1e9;
constexpr double host_max_ns = 1e9, frontend_max_ns = 60e9;
constexpr Bytes none{0}, one{1};

template <class Names>
std::vector<std::string_view> views(const Names& names) {
  return {names.begin(), names.end()};
}

std::vector<std::string_view> scheduler_names() {
  std::vector<std::string_view> out;
  for (const SchedulerRow& row : schedulers()) out.push_back(row.name);
  return out;
}

std::vector<std::string_view> router_names() {
  std::vector<std::string_view> out;
  for (const RouterRow& row : routers()) out.push_back(row.name);
  return out;
}

bool alike(const ClusterSpec& c) { return c.groups.empty(); }
bool spread(const ClusterSpec& c) { return alike(c) && (c.expert > 1 || c.data > 1); }
bool linear(const CostSpec& c) { return c.source == CostSource::linear; }

constexpr std::array<std::string_view, 7> dtypes = {"auto", "bfloat16", "float16", "float8",
                                                    "fp8",  "fp8_e4m3", "fp8_e5m2"};
Value kv_dtype(const MemorySpec& m) {
  return m.kv_dtype ? Value{std::string(dtype_name(*m.kv_dtype))} : Value{};
}
void set_kv_dtype(MemorySpec& m, const Value& value) {
  const auto& name = std::get<std::string>(value);
  m.kv_dtype.reset();
  if (name != "auto") m.kv_dtype = Dtype::float8;
  for (const Dtype wide : {Dtype::bfloat16, Dtype::float16})
    if (name == dtype_name(wide)) m.kv_dtype = wide;
}
}  // namespace

const TableOf<GroupSpec>& group_keys() {
  using G = GroupSpec;
  static const TableOf<G> table(
      "replicas that are alike",
      {{"replicas", count(1, FleetConfig::replicas_max), "how many", &G::replicas, {.alias = "data_parallel_size dp"}},
       {"hardware", reference(), "a name of `stowage hardware list`, or a YAML file", &G::hardware_ref,
        {.alias = "gpu", .absent = "the scenario's"}},
       {"tensor", count(1, degree_max), "GPUs that share every layer", &G::tensor,
        {.alias = "tensor_parallel_size tp"}},
       {"weight", count(1, ReplicaGroup::weight_max), "the router counts one of weight 2 as two", &G::weight},
       {"pipeline", count(1, 1), "stages of layers: one, in groups", Own<G>{},
        {.alias = "pipeline_parallel_size pp", .absent = "1"}}});
  return table;
}

const TableOf<ClusterSpec>& cluster_keys() {
  using C = ClusterSpec;
  static const TableOf<C> table(
      "replicas, how each is spread over GPUs, and the router before them",
      {{"replicas", count(1, FleetConfig::replicas_max), "replicas that are alike", &C::replicas,
        {.alias = "data_parallel_size dp", .written = alike}},
       {"tensor", count(1, degree_max), "GPUs that share every layer", &C::tensor,
        {.alias = "tensor_parallel_size tp", .written = alike}},
       {"pipeline", count(1, degree_max), "stages of layers", &C::pipeline,
        {.alias = "pipeline_parallel_size pp", .written = alike}},
       {"expert", count(1, spread_max), "GPUs that whole experts are spread over: tensor x data", &C::expert,
        {.alias = "ep", .written = spread}},
       {"data", count(1, spread_max), "copies of the attention layers within a replica, which share the experts",
        &C::data, {.written = spread}},
       {"router", one_of(router_names()), "which replica gets a request", &C::router},
       {"groups", list({&group_keys()}), "unlike replicas, instead of the keys above but `router`",
        Nested<C>{[](const C& c) {
          std::vector<Item> out;
          for (const GroupSpec& g : c.groups) out.emplace_back(&group_keys(), &g);
          return out;
        }}}});
  return table;
}

const TableOf<MemorySpec>& memory_keys() {
  using M = MemorySpec;
  static const TableOf<M> table = [] {
    constexpr std::string_view derived = "by arithmetic";
    TableOf<M> out(
        "the KV pool: a share of each GPU, or given outright",
        {{"utilization", number(0.01, 1), "share of the GPU's memory that the engine takes", &M::utilization,
          {.alias = "gpu_memory_utilization", .absent = "0.9, or the engine's"}},
         {"kv_pool", size(one, pool_max), "the KV pool of a replica, all its GPUs together", &M::kv_pool,
          {.absent = "from `utilization`"}},
         {"kv_tokens", count(1, int64_max), "the same in tokens", &M::kv_tokens, {.absent = "from `utilization`"}},
         {"activations", size(none, pool_max), "measured, of one GPU: peak of a forward pass", &M::activations,
          {.absent = derived}},
         {"overhead", size(none, pool_max), "measured, of one GPU: memory outside of the framework", &M::overhead,
          {.absent = derived}},
         {"device", size(one, pool_max), "measured: memory of one GPU as the driver reports it", &M::device,
          {.absent = "the GPU's"}},
         {"weights", size(none, pool_max), "measured, of one GPU: the model's weights", &M::weights,
          {.absent = derived}},
         {"graphs", size(none, pool_max), "measured, of one GPU: set aside for CUDA graphs", &M::graphs,
          {.absent = derived}},
         {"kv_dtype", one_of(views(dtypes)), "type of the KV cache; fp8 and its forms are float8",
          Own<M>{kv_dtype, set_kv_dtype}, {.alias = "kv_cache_dtype", .absent = "auto: the model's"}}});
    out.at_most_one = {"utilization", "kv_pool", "kv_tokens"};
    return out;
  }();
  return table;
}

const TableOf<SchedulerConfig>& scheduler_keys() {
  using S = SchedulerConfig;
  static const TableOf<S> table(
      "how a replica forms the batch of a step",
      {{"policy", one_of(scheduler_names()), "what an iteration is", &S::policy},
       {"max_batch", count(1, batch_max), "requests running at once", &S::max_batch,
        {.alias = "max_num_seqs", .absent = "256, or the engine's for the GPU"}},
       {"max_batched_tokens", count(1, batched_tokens_max), "tokens of one step", &S::max_batched_tokens,
        {.alias = "max_num_batched_tokens", .absent = "8192, or the engine's for the GPU"}},
       {"max_model_len", count(2, max_length_tokens), "prompt and output of one request together", &S::max_model_len,
        {.absent = "8192, or the model's limit where that is less"}},
       {"chunked_prefill", flag(), "prompts may be cut", &S::chunked_prefill,
        {.alias = "enable_chunked_prefill", .absent = "true, or the engine's; false with prefill-first"}},
       {"admit_full", flag(), "admit a request only when all it may store would fit", &S::admit_full,
        {.absent = "true, or the engine's"}},
       {"async_scheduling", flag(), "a step is formed while the one before it runs", &S::async_scheduling,
        {.absent = "false, or the engine's"}},
       {"long_prefill_token_threshold", count(0, batched_tokens_max), "tokens of one prompt in a step; 0 = no limit",
        &S::long_prefill_threshold}});
  return table;
}

const TableOf<HostCost>& host_keys() {
  using H = HostCost;
  static const TableOf<H> table(
      "host time added to every step; without it, or an engine's, a roofline assumes 0.3 ms",
      {{"per_step", duration(0, host_max_ns), "of a step", &H::per_step_ns, {.absent = "0s, or the engine's"}},
       {"per_layer", duration(0, host_max_ns), "of each layer of a step", &H::per_layer_ns,
        {.absent = "0s, or the engine's"}},
       {"per_seq", duration(0, host_max_ns), "of each request in a step", &H::per_seq_ns,
        {.absent = "0s, or the engine's"}}});
  return table;
}

const TableOf<FrontendCost>& frontend_keys() {
  using F = FrontendCost;
  static const TableOf<F> table(
      "the API server before the queue (a delay) and behind the engine (one server for all tokens of a replica); "
      "`none` is an in-process caller",
      {{"per_request", duration(0, frontend_max_ns), "before the queue, of a request", &F::per_request_ns,
        {.absent = "0s, or the engine's"}},
       {"per_prompt_token", duration(0, host_max_ns), "before the queue, of a prompt token", &F::per_prompt_token_ns,
        {.absent = "0s, or the engine's"}},
       {"per_output_token", duration(0, host_max_ns), "behind the engine, of a token", &F::per_output_token_ns,
        {.absent = "0s, or the engine's"}}});
  return table;
}

const TableOf<HostLoop>& host_loop_keys() {
  using L = HostLoop;
  constexpr std::string_view absent = "0s, or the engine's";
  static const TableOf<L> table(
      "the engine's own loop beside the GPU, which shows where it takes longer than the GPU; `none` takes no time",
      {{"form", duration(0, host_max_ns), "from forming a step to its first kernel", &L::form_ns, {.absent = absent}},
       {"form_per_request", duration(0, host_max_ns), "the same, of a running request", &L::form_per_request_ns,
        {.absent = absent}},
       {"launch", duration(0, host_max_ns), "the kernels of a step with prompts, by CUDA graphs in pieces",
        &L::launch_ns, {.absent = absent}},
       {"launch_eager", duration(0, host_max_ns), "the same without graphs", &L::launch_eager_ns, {.absent = absent}},
       {"graph_tokens", count(0, batched_tokens_max), "most tokens of a step with prompts that has graphs",
        &L::graph_tokens, {.absent = "0, or the engine's"}},
       {"update", duration(0, host_max_ns), "from the end of a step until its outputs are out", &L::update_ns,
        {.absent = absent}},
       {"update_per_output", duration(0, host_max_ns), "the same, of an output", &L::update_per_output_ns,
        {.absent = absent}}});
  return table;
}

const TableOf<CostSpec>& vmm_keys() {
  using C = CostSpec;
  constexpr std::string_view absent = "the profile's, else those of an H100";
  static const TableOf<C> table(
      "time of one call of the driver's virtual memory management",
      {{"create", duration(0, token_term_max_ns), "create a physical page", &C::vmm_create_ns, {.absent = absent}},
       {"map", duration(0, token_term_max_ns), "map it", &C::vmm_map_ns, {.absent = absent}},
       {"set_access", duration(0, token_term_max_ns), "make it readable", &C::vmm_set_access_ns, {.absent = absent}},
       {"unmap", duration(0, token_term_max_ns), "unmap it", &C::vmm_unmap_ns, {.absent = absent}}});
  return table;
}

const TableOf<CostSpec>& cost_keys() {
  using C = CostSpec;
  static const TableOf<C> table(
      "what prices a step",
      {{"source", one_of(views(cost_source_names)),
        "`profile`: measured kernels; `roofline`: the spec sheet; `linear`: the four terms below", &C::source},
       {"profile", path(), "a profile that `stowage calibrate` wrote", &C::profile,
        {.absent = "the one that ships for the hardware, else the roofline"}},
       {"base", duration(0, step_term_max_ns), "linear: of a step", [](C& c) { return &c.linear.base_ns; },
        {.written = linear}},
       {"per_prefill_token", duration(0, token_term_max_ns), "linear: of a prompt token in the step",
        [](C& c) { return &c.linear.per_prefill_token_ns; }, {.written = linear}},
       {"per_decode_seq", duration(0, token_term_max_ns), "linear: of a decoding request in the step",
        [](C& c) { return &c.linear.per_decode_seq_ns; }, {.written = linear}},
       {"per_kv_token", duration(0, token_term_max_ns), "linear: of a token that a decoding request has stored",
        [](C& c) { return &c.linear.per_kv_token_ns; }, {.written = linear}},
       {"vmm", map(vmm_keys()), "prices of mapping", Nested<C>{[](const C& c) {
          const bool any = c.vmm_create_ns || c.vmm_map_ns || c.vmm_set_access_ns || c.vmm_unmap_ns;
          return any ? std::vector<Item>{{&vmm_keys(), &c}} : std::vector<Item>{};
        }}}});
  return table;
}
}  // namespace stowage::keys
