#include "tests/differential/random_scenario.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "sim/kv/registry.hpp"
#include "sim/sched/scheduler.hpp"
#include "sim/serve/router.hpp"
#include "tests/differential/dice.hpp"
#include "tests/differential/random_rows.hpp"

namespace stowage {
namespace {

/// A price: sometimes 0, whole, a multiple of 1/8 (so that halves occur), or any double up to `high`.
double price(Dice& dice, double high) {
  switch (dice.in(0, 4)) {
    case 0:
      return 0.0;
    case 1:
      return std::floor(dice.unit() * high);
    case 2:
      return std::floor(dice.unit() * high * 8) / 8;
    default:
      return dice.unit() * high;
  }
}

std::vector<Request> random_requests(Dice& dice, double step_ns, CaseSize size) {
  struct Lengths {
    std::int64_t prompt, output;
  };
  const bool large = size == CaseSize::large;
  const Lengths high =
      large ? dice.one_of<Lengths>({{2000, 2000}, {100, 6000}, {9000, 300}, {600, 600}})
            : dice.one_of<Lengths>({{20, 20}, {150, 80}, {3000, 20}, {30, 300}, {60, 60}, {300, 1}, {8, 3}});
  const int one_token_percent = dice.one_of({0, 0, 10, 60});
  std::int64_t count = dice.chance(10) ? dice.in(1, 3) : dice.in(4, high.output > 100 ? 30 : 60);
  if (large) count = dice.in(100, 400);
  const int pattern = static_cast<int>(dice.in(0, 4));  // all at once, ties, steady, overload, bursts with idle gaps
  const double gap_ns = step_ns * static_cast<double>(dice.in(1, high.output)) * (pattern == 3 ? 0.1 : 1.5);
  const std::int64_t shared_prompt = dice.chance(15) ? dice.in(1, high.prompt) : 0;
  std::int64_t now = dice.chance(50) ? 0 : dice.in(0, 3'000'000);
  std::vector<Request> out;
  for (std::int64_t i = 0; i < count; ++i) {
    if (i > 0) {
      if (pattern == 1 && !dice.chance(70)) now += static_cast<std::int64_t>(gap_ns);
      if (pattern == 2 || pattern == 3) now += static_cast<std::int64_t>(dice.exponential(gap_ns));
      if (pattern == 4 && dice.chance(12))
        now += static_cast<std::int64_t>(gap_ns * static_cast<double>(dice.in(1, 60)));
    }
    Request r;
    r.arrival_ns = now;
    r.prompt_tokens = static_cast<std::int32_t>(shared_prompt > 0 ? shared_prompt : dice.in(1, high.prompt));
    r.output_tokens = static_cast<std::int32_t>(dice.chance(one_token_percent) ? 1 : dice.in(1, high.output));
    r.id = static_cast<std::uint64_t>(i);
    out.push_back(r);
  }
  return out;
}

SchedulerConfig random_scheduler(Dice& dice, const std::vector<Request>& requests, CaseSize size) {
  std::int64_t longest = 0, total = 0;
  for (const auto& r : requests) {
    longest = std::max<std::int64_t>(longest, r.prompt_tokens + r.output_tokens);
    total += r.prompt_tokens + r.output_tokens;
  }
  SchedulerConfig s;
  s.max_model_len = longest;
  if (dice.chance(15)) s.max_model_len = std::max<std::int64_t>(2, dice.in(longest / 2, longest));
  if (dice.chance(30)) s.max_model_len = longest + dice.in(0, longest);
  s.max_batch =
      dice.one_of<std::int64_t>({1, 2, 3, dice.in(4, 8), dice.in(4, 8), dice.in(9, 20), dice.in(9, 20), 64, 64});
  if (size == CaseSize::large) s.max_batch = dice.one_of<std::int64_t>({16, dice.in(17, 100), 256, 256});
  s.admit_full = dice.chance(50);
  const std::int64_t least = std::max<std::int64_t>(1, total / 1500);  // keeps the case short
  const std::int64_t large = std::max<std::int64_t>(s.max_model_len, 8);
  s.max_batched_tokens =
      dice.one_of<std::int64_t>({dice.in(1, 8), dice.in(2, 64), dice.in(8, 512), large, 4 * large, 8192});
  s.max_batched_tokens = std::max(s.max_batched_tokens, least);
  random_policy(dice, s);
  return s;
}

StepCost random_linear(Dice& dice, double step_ns) {
  StepCost::Linear l;
  l.base_ns = dice.chance(10) ? 0.0 : step_ns;
  l.per_prefill_token_ns = price(dice, step_ns / 20);
  l.per_decode_seq_ns = price(dice, step_ns / 10);
  l.per_kv_token_ns = price(dice, step_ns / 200);
  if (dice.chance(4)) l = StepCost::Linear{};  // time stands still
  return StepCost(l);
}

StepCost random_table(Dice& dice, double step_ns, std::int64_t max_tokens) {
  StepCost::Table t;
  const auto grow = [&](double from) {
    std::vector<double> dense;
    for (std::int64_t i = 0; i <= max_tokens; ++i) {
      dense.push_back(from);
      if (dice.chance(40)) from += dice.unit() * step_ns / 20;
    }
    return dense;
  };
  t.dense_ns = grow(step_ns * dice.unit());
  if (dice.chance(50)) t.decode_dense_ns = grow(step_ns * dice.unit() / 2);
  t.decode = {price(dice, step_ns), price(dice, step_ns / 10), price(dice, step_ns / 200),
              price(dice, step_ns), price(dice, step_ns / 10), price(dice, step_ns / 200)};
  t.prefill.ns_per_pair = price(dice, step_ns / 1000);
  t.prefill.ns_per_kv_token = price(dice, step_ns / 100);
  t.prefill.fixed_ns = price(dice, step_ns / 10);
  if (dice.chance(50)) {
    t.prefill.log2_q = {0, 4, 8};
    t.prefill.log2_kv = {0, 5, 10, 12};
    for (int i = 0; i < 12; ++i) t.prefill.utilisation.push_back(0.1 + 0.9 * dice.unit());
  }
  if (dice.chance(25)) {  // as pipelines of three stages have it
    for (std::int64_t b = 0; b <= max_tokens; ++b)
      t.decode_scale.push_back(1.0 / static_cast<double>(std::clamp<std::int64_t>(b, 1, 3)));
  }
  if (dice.chance(40)) {  // a chip that rests
    for (std::int64_t i = 0; i <= max_tokens; ++i) {
      t.boost.ratio.push_back(dice.chance(30) ? 1.0 : 0.6 + 0.4 * dice.unit());
      t.boost.capacity_ns.push_back(price(dice, 4 * step_ns));
      t.boost.recharge.push_back(dice.chance(30) ? 1.0 : 2 * dice.unit());
    }
  }
  return StepCost(std::move(t));
}

VmmCost random_vmm(Dice& dice, double step_ns, std::int64_t tensors) {
  // From free to a block that takes longer than many steps.
  const double block_ns = dice.one_of({0.0, step_ns / 50, step_ns / 3, step_ns * 2, step_ns * 20});
  const double page_ns = 2 * block_ns / static_cast<double>(tensors);
  return {.create_ns = 0,
          .map_ns = price(dice, page_ns),
          .set_access_ns = price(dice, page_ns),
          .unmap_ns = price(dice, page_ns),
          .source = "random"};
}
/// Prompts of a few common beginnings, and turns of sessions, which do not stop by themselves.
void random_contents(Dice& dice, Case& out, std::int64_t longest) {
  if (dice.chance(30)) return;  // nothing in common: only who was preempted finds something
  std::map<std::string, std::int32_t> of_session;  // tokens of its turns so far
  const std::int64_t block = out.config.manager.integer("block_size");
  out.hash_tokens = dice.chance(50) ? block * dice.in(1, 3) : block;
  if (block % 2 == 0 && dice.chance(30)) out.hash_tokens = block / 2;
  const int sessions = dice.one_of({0, 0, 20, 60});
  out.shapes.resize(out.requests.size());
  for (std::size_t i = 0; i < out.requests.size(); ++i) {
    Request& r = out.requests[i];
    if (dice.chance(sessions)) {
      out.shapes[i].session = std::string(1, static_cast<char>('a' + dice.in(0, 2)));
      r.max_tokens = 0;
      std::int32_t& known = of_session[out.shapes[i].session];
      const auto longer = static_cast<std::int32_t>(known + dice.in(known > 0 ? 0 : 1, 5));
      if (longer + r.output_tokens <= longest) r.prompt_tokens = std::max(r.prompt_tokens, longer);
      if (r.prompt_tokens >= known) known = r.prompt_tokens + r.output_tokens;
    }
    const std::int64_t most = (r.prompt_tokens + out.hash_tokens - 1) / out.hash_tokens;
    for (std::int64_t k = 0; k < most && dice.chance(80); ++k)
      out.shapes[i].hashes.push_back(static_cast<std::uint64_t>(dice.in(0, 1)));
  }
}
/// Chains and trees of requests that wait for the end of earlier ones.
void random_follows(Dice& dice, Case& out, double step_ns) {
  if (dice.chance(70)) return;
  const int percent = dice.one_of({10, 50, 95});
  const std::int64_t users = dice.in(1, 8);
  out.follows.resize(out.requests.size());
  for (std::size_t i = 1; i < out.requests.size(); ++i) {
    if (!dice.chance(percent)) continue;
    const auto before = static_cast<std::int64_t>(i) - dice.in(1, users);
    if (before < 0) continue;
    out.follows[i] = {before, dice.chance(40) ? 0 : static_cast<std::int64_t>(dice.exponential(5 * step_ns))};
    if (dice.chance(50)) out.requests[i].arrival_ns = out.requests.front().arrival_ns;  // think time only
  }
}
/// From hidden behind the GPU to longer than it.
HostLoop random_loop(Dice& dice, double step_ns) {
  HostLoop out;
  if (dice.chance(70)) return out;
  const double unit = step_ns * dice.one_of({0.01, 0.3, 3.0});
  out.form_ns = price(dice, unit);
  out.form_per_request_ns = price(dice, unit / 10);
  out.launch_ns = price(dice, 3 * unit);
  out.launch_eager_ns = price(dice, 6 * unit);
  out.graph_tokens = dice.in(0, 64);
  out.update_ns = price(dice, unit);
  out.update_per_output_ns = price(dice, unit / 10);
  return out;
}
}  // namespace

Case random_case(std::uint64_t seed, CaseSize size) {
  Dice dice(seed);
  Case out;
  RunConfig& c = out.config;
  const double step_ns = dice.one_of({1.0, 7.5, 1000.0, 250'000.25, 1e6, 1e7});
  out.requests = random_requests(dice, step_ns, size);
  c.scheduler = random_scheduler(dice, out.requests, size);

  c.kv.layers = dice.one_of<std::int64_t>({1, 2, 3, 32, dice.in(1, 60)});
  const std::int64_t share = dice.one_of<std::int64_t>({1, 2, 128, 2048, dice.in(1, 3000)});
  c.kv.gpus = dice.one_of<std::int64_t>({1, 1, 1, 1, 2, 4});
  c.kv.bytes_per_token =
      Bytes{c.kv.gpus * (dice.chance(85) ? share * 2 * c.kv.layers : 2 * c.kv.layers + dice.in(0, 5000))};
  const std::int64_t least_pool = random_manager(dice, c, size == CaseSize::large);
  c.kv.pool = Bytes{least_pool};
  if (const std::int64_t tensors = mapped_tensors(c); tensors > 0) c.vmm = random_vmm(dice, step_ns, tensors);

  // From a pool that not every request fits in alone, over one that holds a few, to plenty. A round-up to whole
  // blocks for each request, or a whole slot, comes on top in every second case.
  std::int64_t longest = 0;
  for (const auto& r : out.requests) longest = std::max<std::int64_t>(longest, r.prompt_tokens + r.output_tokens);
  double lengths = dice.one_of({0.8, 1.0, 1.0 + dice.unit(), 1.0 + 2 * dice.unit(), 1.0 + 8 * dice.unit(), 40.0});
  const bool grows = !row_of(c.manager).least_held(c).whole_life;
  if (grows && dice.chance(50)) {  // many that grow in a pool for few: preemptions
    lengths = 1.0 + 2 * dice.unit();
    c.scheduler.max_batch = std::max<std::int64_t>(c.scheduler.max_batch, 6);
    please_policy(c.scheduler);
    const std::int64_t first_ns = out.requests.front().arrival_ns;
    for (auto& r : out.requests) {
      const std::int32_t tokens = r.prompt_tokens + r.output_tokens;
      r.prompt_tokens = static_cast<std::int32_t>(1 + dice.in(0, tokens / 8));
      r.output_tokens = std::min(tokens - r.prompt_tokens, size == CaseSize::large ? 2000 : 120);
      if (dice.chance(60)) r.arrival_ns = first_ns + (r.arrival_ns - first_ns) / 20;
    }
    std::stable_sort(out.requests.begin(), out.requests.end(),
                     [](const Request& a, const Request& b) { return a.arrival_ns < b.arrival_ns; });
    for (std::size_t i = 0; i < out.requests.size(); ++i) out.requests[i].id = i;
  }
  const double blocks = dice.chance(50) ? 0.0 : lengths * static_cast<double>(dice.in(1, 4));
  const double want = lengths * static_cast<double>(longest) * static_cast<double>(c.kv.bytes_per_token.count()) +
                      blocks * static_cast<double>(least_pool);
  const std::int64_t rest = dice.chance(50) ? 0 : dice.in(0, c.kv.bytes_per_token.count());
  c.kv.pool = Bytes{std::max(least_pool, static_cast<std::int64_t>(want)) + rest};
  Dice ahead(seed ^ 0x5851F42D4C957F2D);
  c.scheduler.async_scheduling = find_scheduler(c.scheduler.policy)->ahead && ahead.chance(45);
  if (ahead.chance(20)) c.scheduler.long_prefill_threshold = ahead.in(1, std::max<std::int64_t>(1, longest / 3));
  c.scheduler.threshold_waived_alone = ahead.chance(30);
  if (ahead.chance(35))
    for (Request& r : out.requests)
      if (ahead.chance(50)) r.max_tokens = r.output_tokens + static_cast<std::int32_t>(ahead.in(0, 1 + longest / 4));
  if (c.manager.params.contains("prefix_caching")) random_contents(ahead, out, longest);
  random_follows(ahead, out, step_ns);
  c.host_loop = random_loop(ahead, step_ns);
  // Last: a table is as long as the budget, which may have grown.
  c.cost = dice.chance(65) ? random_linear(dice, step_ns) : random_table(dice, step_ns, c.scheduler.max_batched_tokens);
  out.bind();
  return out;
}

Case random_fleet_case(std::uint64_t seed, CaseSize size) {
  Case out = random_case(seed, size);
  Dice dice(seed ^ 0x9E3779B97F4A7C15);
  RunConfig& c = out.config;
  FleetConfig& fleet = c.fleet;
  fleet.router = dice.one_of(routers()).name;
  fleet.seed = seed;
  const bool alike = dice.chance(40);
  const std::int64_t groups = dice.in(1, 3);
  std::int64_t replicas = 0;
  for (std::int64_t g = 0; g < groups; ++g) {
    ReplicaGroup group{"", dice.in(1, groups == 1 ? 4 : 2), 1, c.kv, c.cost, c.vmm};
    replicas += group.replicas;
    if (!alike) {
      group.weight = dice.one_of<std::int64_t>({1, 1, 2, 3, 7});
      group.kv.pool = Bytes{c.kv.pool.count() + dice.in(0, 2) * c.kv.pool.count() / 2};
      if (dice.chance(50)) group.cost = random_linear(dice, dice.one_of({1.0, 1000.0, 250'000.25, 1e6}));
    }
    fleet.groups.push_back(std::move(group));
  }
  // Of ends at one time in two replicas none is first, so that steps take time where somebody waits for an end.
  for (ReplicaGroup& group : fleet.groups)
    if (!out.follows.empty() && group.cost.least_step_ns() < 1) group.cost = StepCost(StepCost::Linear{7, 0, 1, 0});
  // As much to do for each replica as for one alone; ties stay ties.
  const std::int64_t first = out.requests.front().arrival_ns;
  for (auto& r : out.requests) r.arrival_ns = first + (r.arrival_ns - first) / replicas;
  if (dice.chance(30)) {
    const double gap =
        static_cast<double>(out.requests.back().arrival_ns - first + 1) / static_cast<double>(out.requests.size());
    c.frontend = {price(dice, 3 * gap), price(dice, gap / 50), price(dice, gap / 20)};
  }
  out.bind();
  return out;
}
}  // namespace stowage
