#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "sim/kv/registry.hpp"
#include "tests/differential/compare.hpp"
#include "tests/differential/random_rows.hpp"

namespace stowage {
namespace {

class Shrinker {
 public:
  Shrinker(Case failing, const std::function<bool(const Case&)>& fails) : best_(std::move(failing)), fails_(fails) {}

  Case run() {
    while (drop_requests() | simplify_requests() | simplify_settings()) {}
    return best_;
  }

 private:
  /// Keeps the candidate when it is sound, something new, and still fails.
  bool accept(Case candidate) {
    if (tries_ >= 4000 || !is_valid(candidate.config) || !hashes_fit(candidate)) return false;
    ++tries_;
    std::int64_t last_ns = 0;
    for (std::size_t i = 0; i < candidate.requests.size(); ++i) {
      Request& r = candidate.requests[i];
      r.id = i;
      if (candidate.follows.empty() || candidate.follows[i].after < 0)
        last_ns = r.arrival_ns = std::max(r.arrival_ns, last_ns);
    }
    candidate.bind();
    if (!fails_(candidate)) return false;
    best_ = std::move(candidate);
    return true;
  }

  /// Hashes stand for whole blocks, or whole numbers of them for a block.
  static bool hashes_fit(const Case& c) {
    if (c.shapes.empty()) return true;
    const std::int64_t block = c.config.manager.integer("block_size");
    return block % c.hash_tokens == 0 || c.hash_tokens % block == 0;
  }

  /// Who waited for one of the requests that are gone waits for nobody.
  static void drop_follows(Case& c, std::size_t at, std::size_t count) {
    if (c.follows.empty()) return;
    const auto first = c.follows.begin() + static_cast<std::ptrdiff_t>(at);
    c.follows.erase(first, first + static_cast<std::ptrdiff_t>(count));
    for (oracle::Follow& f : c.follows) {
      if (f.after >= static_cast<std::int64_t>(at + count)) f.after -= static_cast<std::int64_t>(count);
      else if (f.after >= static_cast<std::int64_t>(at)) f = {};
    }
  }

  bool drop_requests() {
    bool any = false;
    for (std::size_t chunk = std::max<std::size_t>(1, best_.requests.size() / 2); chunk >= 1; chunk /= 2) {
      for (std::size_t at = 0; at + chunk <= best_.requests.size() && best_.requests.size() > chunk;) {
        Case c = best_;
        const auto from = c.requests.begin() + static_cast<std::ptrdiff_t>(at);
        c.requests.erase(from, from + static_cast<std::ptrdiff_t>(chunk));
        if (!c.shapes.empty()) {
          const auto first = c.shapes.begin() + static_cast<std::ptrdiff_t>(at);
          c.shapes.erase(first, first + static_cast<std::ptrdiff_t>(chunk));
        }
        drop_follows(c, at, chunk);
        if (accept(std::move(c)))
          any = true;
        else
          at += chunk;
      }
    }
    return any;
  }

  /// Smaller values first: 0 (or 1), a half, one less.
  template <class Number, class Set>
  bool lower(Number now, Number least, const Set& set) {
    for (const Number to : {least, static_cast<Number>(now / 2), static_cast<Number>(now - 1)}) {
      if (!(to < now) || to < least) continue;
      Case c = best_;
      set(c, to);
      if (accept(std::move(c))) return true;
    }
    return false;
  }

  bool simplify_requests() {
    bool any = false;
    for (std::size_t i = 0; i < best_.requests.size(); ++i) {
      for (std::int32_t Request::*tokens : {&Request::prompt_tokens, &Request::output_tokens})
        any |= lower<std::int32_t>(best_.requests[i].*tokens, 1,
                                   [&](Case& c, std::int32_t v) { c.requests[i].*tokens = v; });
      const std::int64_t before = i == 0 ? 0 : best_.requests[i - 1].arrival_ns;
      any |= lower<std::int64_t>(best_.requests[i].arrival_ns, before,
                                 [&](Case& c, std::int64_t v) { c.requests[i].arrival_ns = v; });
    }
    return any;
  }

  bool simplify_settings() {
    if (!best_.config.fleet.groups.empty()) return false;  // its groups have settings of their own
    bool any = simplify_cost();
    const auto& s = best_.config.scheduler;
    using S = SchedulerConfig;
    for (std::int64_t S::*limit : {&S::max_batch, &S::max_batched_tokens, &S::max_model_len})
      any |= lower<std::int64_t>(s.*limit, 1, [&](Case& c, std::int64_t v) { c.config.scheduler.*limit = v; });
    if (s.policy != "vllm") any |= change([](Case& c) { c.config.scheduler.policy = "vllm"; });
    if (!s.chunked_prefill) any |= change([](Case& c) { c.config.scheduler.chunked_prefill = true; });
    if (!best_.config.scheduler.admit_full) any |= change([](Case& c) { c.config.scheduler.admit_full = true; });
    any |= simplify_memory();
    return any;
  }

  bool simplify_cost() {
    bool any = false;
    if (best_.config.cost.kind() == StepCost::Kind::table) {
      any |= change([](Case& c) { c.config.cost = StepCost(StepCost::Linear{1000, 0, 0, 0}); });
      if (!any) return false;
    }
    using Linear = StepCost::Linear;
    for (double Linear::*term : {&Linear::per_kv_token_ns, &Linear::per_decode_seq_ns, &Linear::per_prefill_token_ns}) {
      if (best_.config.cost.linear().*term == 0) continue;
      any |= change([&](Case& c) {
        Linear l = c.config.cost.linear();
        l.*term = 0;
        c.config.cost = StepCost(l);
      });
    }
    if (const double base = best_.config.cost.linear().base_ns; base > 1000)
      any |= change([&](Case& c) {
        Linear l = c.config.cost.linear();
        l.base_ns = 1000;
        c.config.cost = StepCost(l);
      });
    using Loop = HostLoop;
    for (double Loop::*term : {&Loop::form_ns, &Loop::form_per_request_ns, &Loop::launch_ns, &Loop::launch_eager_ns,
                               &Loop::update_ns, &Loop::update_per_output_ns}) {
      if (best_.config.host_loop.*term == 0) continue;
      any |= change([&](Case& c) { c.config.host_loop.*term = 0; });
    }
    for (double VmmCost::*term : {&VmmCost::map_ns, &VmmCost::set_access_ns, &VmmCost::unmap_ns}) {
      if (best_.config.vmm.*term == 0) continue;
      any |= change([&](Case& c) { c.config.vmm.*term = 0; });
    }
    return any;
  }

  bool simplify_memory() {
    bool any = false;
    if (best_.config.kv.gpus > 1) any |= change([](Case& c) { c.config.kv.gpus = 1; });
    any |= rescale_bytes();
    any |= lower<std::int64_t>(best_.config.kv.pool.count(), 1,
                               [](Case& c, std::int64_t v) { c.config.kv.pool = Bytes{v}; });
    const auto params = best_.config.manager.params;
    for (const auto& [name, value] : params) {
      const std::string key = name;
      if (const auto* n = std::get_if<std::int64_t>(&value))
        any |= lower<std::int64_t>(*n, least_of(key),
                                   [&](Case& c, std::int64_t v) { c.config.manager.params[key] = v; });
      if (const auto* x = std::get_if<double>(&value); x != nullptr && *x > 0)
        any |= change([&](Case& c) { c.config.manager.params[key] = 0.0; });
    }
    return any;
  }

  [[nodiscard]] std::int64_t least_of(std::string_view param) const {
    const auto params = row_of(best_.config.manager).params;
    const auto spec = std::ranges::find(params, param, &ParamSpec::name);
    return spec == params.end() || spec->min == 0 ? 0 : 1;
  }

  /// One byte a token in one tensor pair, the pool and page shrunk alike.
  bool rescale_bytes() {
    const RunConfig& now = best_.config;
    const std::int64_t bpt = now.kv.bytes_per_token.count(), gpus = now.kv.gpus, tensors = mapped_tensors(now);
    const std::int64_t to = tensors > 0 ? 2 : 1;
    if (bpt == to && now.kv.layers == 1) return false;
    return change([&](Case& c) {
      KvGeometry& kv = c.config.kv;
      if (tensors > 0) {
        auto& page = std::get<std::int64_t>(c.config.manager.params[std::string(row_of(now.manager).granule)]);
        const std::int64_t blocks = kv.pool.count() / (page * tensors * gpus);
        page = page * tensors / (bpt / gpus);
        kv.pool = Bytes{blocks * page * to * gpus};
      } else {
        kv.pool = Bytes{kv.pool.count() / bpt};
      }
      kv.bytes_per_token = Bytes{to * gpus};
      kv.layers = 1;
    });
  }

  template <class Change>
  bool change(const Change& apply) {
    Case c = best_;
    apply(c);
    return accept(std::move(c));
  }

  Case best_;
  const std::function<bool(const Case&)>& fails_;
  int tries_ = 0;
};
}  // namespace

Case shrink(Case failing, const std::function<bool(const Case&)>& fails) {
  return Shrinker(std::move(failing), fails).run();
}
}  // namespace stowage
