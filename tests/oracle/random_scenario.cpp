#include "tests/oracle/random_scenario.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>

namespace stowage {
namespace {

/// splitmix64: 64 good bits a call, and nothing that could differ between libraries.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ULL + 0x632BE59BD9B4E019ULL) {}
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::int64_t in(std::int64_t low, std::int64_t high) {  // inclusive
    return low + static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(high - low + 1));
  }
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  bool chance(int percent) { return in(0, 99) < percent; }
  template <class T>
  T one_of(std::initializer_list<T> list) {
    return list.begin()[static_cast<std::size_t>(in(0, static_cast<std::int64_t>(list.size()) - 1))];
  }

 private:
  std::uint64_t state_;
};

/// A price: sometimes 0, whole, a multiple of 1/8 (so that halves occur), or any double up to `high`.
double price(Rng& rng, double high) {
  switch (rng.in(0, 4)) {
    case 0:
      return 0.0;
    case 1:
      return std::floor(rng.unit() * high);
    case 2:
      return std::floor(rng.unit() * high * 8) / 8;
    default:
      return rng.unit() * high;
  }
}

std::vector<Request> random_requests(Rng& rng, double step_ns) {
  struct Lengths {
    std::int64_t prompt, output;
  };
  const Lengths high = rng.one_of<Lengths>({{20, 20}, {150, 80}, {3000, 20}, {30, 300}, {60, 60}, {300, 1}, {8, 3}});
  const int one_token_percent = rng.one_of({0, 0, 10, 60});
  const std::int64_t count = rng.chance(10) ? rng.in(1, 3) : rng.in(4, high.output > 100 ? 30 : 60);
  const int pattern = static_cast<int>(rng.in(0, 4));  // all at once, ties, steady, overload, bursts with idle gaps
  const double gap_ns = step_ns * static_cast<double>(rng.in(1, high.output)) * (pattern == 3 ? 0.1 : 1.5);
  const std::int64_t shared_prompt = rng.chance(15) ? rng.in(1, high.prompt) : 0;
  std::int64_t now = rng.chance(50) ? 0 : rng.in(0, 3'000'000);
  std::vector<Request> out;
  for (std::int64_t i = 0; i < count; ++i) {
    if (i > 0) {
      if (pattern == 1 && !rng.chance(70)) now += static_cast<std::int64_t>(gap_ns);
      if (pattern == 2 || pattern == 3) now += static_cast<std::int64_t>(-std::log(1.0 - rng.unit()) * gap_ns);
      if (pattern == 4 && rng.chance(12)) now += static_cast<std::int64_t>(gap_ns * static_cast<double>(rng.in(1, 60)));
    }
    Request r;
    r.arrival_ns = now;
    r.prompt_tokens = static_cast<std::int32_t>(shared_prompt > 0 ? shared_prompt : rng.in(1, high.prompt));
    r.output_tokens = static_cast<std::int32_t>(rng.chance(one_token_percent) ? 1 : rng.in(1, high.output));
    r.id = static_cast<std::uint64_t>(i);
    out.push_back(r);
  }
  return out;
}

SchedulerConfig random_scheduler(Rng& rng, const std::vector<Request>& requests) {
  std::int64_t longest = 0, total = 0;
  for (const auto& r : requests) {
    longest = std::max<std::int64_t>(longest, r.prompt_tokens + r.output_tokens);
    total += r.prompt_tokens + r.output_tokens;
  }
  SchedulerConfig s;
  s.max_model_len = longest;
  if (rng.chance(15)) s.max_model_len = std::max<std::int64_t>(2, rng.in(longest / 2, longest));
  if (rng.chance(30)) s.max_model_len = longest + rng.in(0, longest);
  s.max_batch = rng.one_of<std::int64_t>({1, 2, 3, rng.in(4, 8), rng.in(4, 8), rng.in(9, 20), rng.in(9, 20), 64, 64});
  s.chunked_prefill = rng.chance(75);
  s.admit_full = rng.chance(50);
  const std::int64_t least = std::max<std::int64_t>(1, total / 1500);  // keeps the case short
  const std::int64_t large = std::max<std::int64_t>(s.max_model_len, 8);
  s.max_batched_tokens =
      rng.one_of<std::int64_t>({rng.in(1, 8), rng.in(2, 64), rng.in(8, 512), large, 4 * large, 8192});
  s.max_batched_tokens = std::max(s.max_batched_tokens, least);
  if (!s.chunked_prefill) s.max_batched_tokens = std::max(s.max_batched_tokens, s.max_model_len);
  return s;
}

StepCost random_linear(Rng& rng, double step_ns) {
  StepCost::Linear l;
  l.base_ns = rng.chance(10) ? 0.0 : step_ns;
  l.per_prefill_token_ns = price(rng, step_ns / 20);
  l.per_decode_seq_ns = price(rng, step_ns / 10);
  l.per_kv_token_ns = price(rng, step_ns / 200);
  if (rng.chance(4)) l = StepCost::Linear{};  // time stands still
  return StepCost(l);
}

StepCost random_table(Rng& rng, double step_ns, std::int64_t max_tokens) {
  StepCost::Table t;
  const auto grow = [&](double from) {
    std::vector<double> dense;
    for (std::int64_t i = 0; i <= max_tokens; ++i) {
      dense.push_back(from);
      if (rng.chance(40)) from += rng.unit() * step_ns / 20;
    }
    return dense;
  };
  t.dense_ns = grow(step_ns * rng.unit());
  if (rng.chance(50)) t.decode_dense_ns = grow(step_ns * rng.unit() / 2);
  t.decode = {price(rng, step_ns), price(rng, step_ns / 10), price(rng, step_ns / 200),
              price(rng, step_ns), price(rng, step_ns / 10), price(rng, step_ns / 200)};
  t.prefill.ns_per_pair = price(rng, step_ns / 1000);
  t.prefill.ns_per_kv_token = price(rng, step_ns / 100);
  t.prefill.fixed_ns = price(rng, step_ns / 10);
  if (rng.chance(50)) {
    t.prefill.log2_q = {0, 4, 8};
    t.prefill.log2_kv = {0, 5, 10, 12};
    for (int i = 0; i < 12; ++i) t.prefill.utilisation.push_back(0.1 + 0.9 * rng.unit());
  }
  return StepCost(std::move(t));
}

/// Sets the manager and returns the bytes of the least pool it can work with.
std::int64_t random_manager(Rng& rng, RunConfig& c) {
  const std::int64_t bpt = c.kv.bytes_per_token.count();
  auto& p = c.manager.params;
  const std::int64_t dice = rng.in(0, 99);
  if (dice < 28) {
    c.manager.kind = "reserve";
    const std::string length = rng.one_of({"max", "pow2", "oracle"});
    const std::string space =
        length == "max" ? rng.one_of({"slots", "buddy", "first-fit"}) : rng.one_of({"buddy", "first-fit"});
    const std::int64_t min_block = rng.one_of<std::int64_t>({16, 16, 1, 2, 4, 8, 32, 5});
    p = {{"length", length}, {"space", space}, {"min_block", min_block}};
    return bpt * (space == "slots" ? c.scheduler.max_model_len : space == "buddy" ? min_block : 1);
  }
  if (dice < 52) {
    c.manager.kind = "paged";
    const std::int64_t block_size = rng.one_of<std::int64_t>({1, 2, 3, 4, 7, 8, 16, 16, 32, 64, rng.in(1, 300)});
    p = {{"block_size", block_size}, {"watermark", rng.chance(50) ? 0.0 : rng.unit() * 0.3}};
    return bpt * block_size;
  }
  c.manager.kind = "vattention";
  const bool sliced = rng.chance(50);
  const std::int64_t tensors = sliced ? 2 : 2 * c.kv.layers;
  const std::int64_t tokens =
      rng.one_of<std::int64_t>({1, 2, rng.in(3, 16), rng.in(3, 16), rng.in(17, 128), rng.in(129, 4000)});
  const std::int64_t gpu_bpt = bpt / c.kv.gpus;
  const std::int64_t exact = (tokens * gpu_bpt + tensors - 1) / tensors;
  const std::int64_t page = exact + (rng.chance(50) ? 0 : rng.in(0, gpu_bpt / tensors));
  p = {{"page", page},
       {"layout", std::string(sliced ? "sliced" : "per-layer")},
       {"mapping", std::string(rng.chance(35) ? "sync" : "background")},
       {"reclaim", std::string(rng.chance(40) ? "eager" : "deferred")},
       {"lookahead", rng.chance(30) ? std::int64_t{9} : rng.in(0, 12)},
       {"lookahead_blocks", rng.chance(30) ? std::int64_t{2} : rng.in(0, 4)}};
  return page * tensors * c.kv.gpus;
}

VmmCost random_vmm(Rng& rng, double step_ns, std::int64_t tensors) {
  // From free to a block that takes longer than many steps.
  const double block_ns = rng.one_of({0.0, step_ns / 50, step_ns / 3, step_ns * 2, step_ns * 20});
  const double page_ns = 2 * block_ns / static_cast<double>(tensors);
  return {.create_ns = 0,
          .map_ns = price(rng, page_ns),
          .set_access_ns = price(rng, page_ns),
          .unmap_ns = price(rng, page_ns),
          .source = "random"};
}
}  // namespace

Case random_case(std::uint64_t seed) {
  Rng rng(seed);
  Case out;
  RunConfig& c = out.config;
  const double step_ns = rng.one_of({1.0, 7.5, 1000.0, 250'000.25, 1e6, 1e7});
  out.requests = random_requests(rng, step_ns);
  c.scheduler = random_scheduler(rng, out.requests);
  c.cost = rng.chance(65) ? random_linear(rng, step_ns) : random_table(rng, step_ns, c.scheduler.max_batched_tokens);

  c.kv.layers = rng.one_of<std::int64_t>({1, 2, 3, 32, rng.in(1, 60)});
  const std::int64_t share = rng.one_of<std::int64_t>({1, 2, 128, 2048, rng.in(1, 3000)});
  c.kv.gpus = rng.one_of<std::int64_t>({1, 1, 1, 1, 2, 4});
  c.kv.bytes_per_token =
      Bytes{c.kv.gpus * (rng.chance(85) ? share * 2 * c.kv.layers : 2 * c.kv.layers + rng.in(0, 5000))};
  const std::int64_t least_pool = random_manager(rng, c);
  if (c.manager.kind == "vattention") {
    const bool sliced = std::get<std::string>(c.manager.params.at("layout")) == "sliced";
    c.vmm = random_vmm(rng, step_ns, sliced ? 2 : 2 * c.kv.layers);
  }

  // From a pool that not every request fits in alone, over one that holds a few, to plenty. A round-up to whole
  // blocks for each request, or a whole slot, comes on top in every second case.
  std::int64_t longest = 0;
  for (const auto& r : out.requests) longest = std::max<std::int64_t>(longest, r.prompt_tokens + r.output_tokens);
  double lengths = rng.one_of({0.8, 1.0, 1.0 + rng.unit(), 1.0 + 2 * rng.unit(), 1.0 + 8 * rng.unit(), 40.0});
  if (c.manager.kind != "reserve" && rng.chance(40)) {  // many that grow in a pool for few: preemptions
    lengths = 1.0 + 2 * rng.unit();
    c.scheduler.max_batch = std::max<std::int64_t>(c.scheduler.max_batch, 6);
    const std::int64_t first_ns = out.requests.front().arrival_ns;
    for (auto& r : out.requests) {
      const std::int32_t tokens = r.prompt_tokens + r.output_tokens;
      r.prompt_tokens = static_cast<std::int32_t>(1 + rng.in(0, tokens / 8));
      r.output_tokens = std::min(tokens - r.prompt_tokens, 120);
      if (rng.chance(60)) r.arrival_ns = first_ns + (r.arrival_ns - first_ns) / 20;
    }
    std::stable_sort(out.requests.begin(), out.requests.end(),
                     [](const Request& a, const Request& b) { return a.arrival_ns < b.arrival_ns; });
    for (std::size_t i = 0; i < out.requests.size(); ++i) out.requests[i].id = i;
  }
  const double blocks = rng.chance(50) ? 0.0 : lengths * static_cast<double>(rng.in(1, 4));
  const double want = lengths * static_cast<double>(longest) * static_cast<double>(c.kv.bytes_per_token.count()) +
                      blocks * static_cast<double>(least_pool);
  const std::int64_t rest = rng.chance(50) ? 0 : rng.in(0, c.kv.bytes_per_token.count());
  c.kv.pool = Bytes{std::max(least_pool, static_cast<std::int64_t>(want)) + rest};
  c.manager.name = c.manager.kind;
  out.bind();
  return out;
}
}  // namespace stowage
