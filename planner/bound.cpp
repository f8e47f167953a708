#include "planner/bound.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.hpp"
#include "sim/kv/registry.hpp"

namespace stowage {
namespace {
/// Totals over the requests that a replica may serve.
struct Work {
  double prompt = 0, decode = 0;  // tokens: a request decodes output - 1 times
  double context = 0;             // sum over decode tokens of what is stored before them
  double pairs = 0;               // query-key pairs of the prompts
  double turns = 0;               // steps that the requests run in, at least: one a prompt, one a decode token
  double held = 0;                // sum over those turns of the tokens of the pool that the request holds
};

/// 1, 2, ... n tokens, each rounded up to a multiple of g, added up.
double rounded_sum(std::int64_t n, std::int64_t g) {
  const std::int64_t whole = n / g, rest = n % g;
  const auto size = static_cast<double>(g), n_whole = static_cast<double>(whole);
  return size * size * n_whole * (n_whole + 1) / 2 + static_cast<double>(rest) * size * (n_whole + 1);
}

Work work_of(const RunConfig& run, const RequestSet& set) {
  const ManagerRow* row = find_manager(run.manager.kind);
  STOWAGE_ASSERT(row != nullptr);
  const LeastHeld least = row->least_held(run);
  const std::int64_t pool = run.kv.pool.count() / run.kv.bytes_per_token.count();
  Work w;
  for (const auto& r : *set.rows) {
    const std::int64_t prompt = r.prompt_tokens, output = r.output_tokens, last = prompt + output - 1;
    const std::int64_t most = std::max(least.floor, (last + least.granule - 1) / least.granule * least.granule);
    // What is turned away is no work: too long, or larger than the pool once that is cut into pieces (a buddy's are
    // powers of two).
    if (prompt + output > run.scheduler.max_model_len || 2 * most > pool) continue;
    const auto p = static_cast<double>(prompt), d = static_cast<double>(output - 1);
    w.prompt += p;
    w.decode += d;
    w.context += d * p + d * (d - 1) / 2;
    w.pairs += p * (p + 1) / 2;
    w.turns += 1 + d;
    // A floor is above every rounded size, or it is none.
    w.held += least.whole_life ? (1 + d) * static_cast<double>(most)
                               : rounded_sum(last, least.granule) - rounded_sum(prompt - 1, least.granule);
  }
  return w;
}

double least_of(const std::vector<double>& values) {
  return values.empty() ? 1.0 : *std::min_element(values.begin(), values.end());
}

struct Line {
  double a, b;
};
/// The lower convex hull of a step's price over its tokens: each edge is a line that no price lies below.
std::vector<Line> lines_below(const StepCost::Table& t, std::int64_t max_batched_tokens) {
  const auto price = [&](std::size_t m) {
    const double dense = t.boost.ratio.empty() ? t.dense_ns[m] : t.dense_ns[m] * t.boost.ratio[m];
    return m < t.decode_dense_ns.size() ? std::min(dense, t.decode_dense_ns[m]) : dense;
  };
  std::vector<std::size_t> hull;
  for (std::size_t m = 1; m <= static_cast<std::size_t>(max_batched_tokens); ++m) {
    while (hull.size() >= 2) {
      const std::size_t i = hull[hull.size() - 2], j = hull.back();
      const double left = (price(j) - price(i)) * static_cast<double>(m - i);
      const double whole = (price(m) - price(i)) * static_cast<double>(j - i);
      if (left < whole) break;
      hull.pop_back();
    }
    hull.push_back(m);
  }
  std::vector<Line> out;
  for (std::size_t k = 0; k + 1 < hull.size(); ++k) {
    const double b = (price(hull[k + 1]) - price(hull[k])) / static_cast<double>(hull[k + 1] - hull[k]);
    const double a = price(hull[k]) - b * static_cast<double>(hull[k]);
    if (b >= 0) out.push_back({std::max(0.0, a), a >= 0 ? b : price(hull[k]) / static_cast<double>(hull[k])});
  }
  if (hull.size() == 1) out.push_back({0, price(hull[0]) / static_cast<double>(hull[0])});
  return out;
}

/// Sum over decode steps of c + c_per_seq x B + s x S, at least.
double attention_ns(double c, double c_per_seq, double s, const Work& w, double decode_steps) {
  const double fixed = c >= 0 ? c * decode_steps : c * w.decode;  // a negative intercept at most once a token
  return fixed + c_per_seq * w.decode + s * w.context;
}

/// The least a stored token costs in a measured step of any batch: between knots prices are lines, and the price by
/// token of a line is least at one of its ends; after the last knot it comes to the line's slope at most.
double least_ns_a_token(const std::vector<DecodeSegment>& rows, std::int64_t max_batch) {
  double least = std::numeric_limits<double>::infinity();
  const std::size_t end = std::min(rows.size(), (static_cast<std::size_t>(max_batch) + 1) * decode_segments);
  for (std::size_t at = decode_segments; at < end; ++at) {  // from one request on
    const std::size_t i = at % decode_segments;
    const auto& line = rows[at];
    const auto by_token = [&](std::size_t knot) {
      const auto tokens = static_cast<double>(decode_knot(knot));
      return line.c / tokens + line.s;
    };
    // The first goes for all below its knot too, where a positive intercept only adds.
    least = std::min({least, by_token(i), i + 1 < decode_segments ? by_token(i + 1) : line.s});
  }
  return std::isfinite(least) ? std::max(0.0, least) : 0.0;
}

double decode_attention_ns(const StepCost::Table& t, const RunConfig& run, const Work& w) {
  if (!t.decode_rows.empty()) return least_ns_a_token(t.decode_rows, run.scheduler.max_batch) * w.context;
  const double steps = w.decode / static_cast<double>(run.scheduler.max_batch);
  const auto& d = t.decode;
  return least_of(t.decode_scale) * std::max({0.0, attention_ns(d.c0, d.c0_per_seq, d.s0, w, steps),
                                              attention_ns(d.c1, d.c1_per_seq, d.s1, w, steps)});
}

/// The least that a pair of query and key costs in any chunk. A measured chunk of n tiles has at most n whole tiles of
/// tokens; its price and its pairs are lines between knots of the stored context, so that their ratio is least at one.
double least_ns_a_pair(const StepCost::Table& t) {
  if (t.tiles.tile_tokens == 0)
    return t.prefill.ns_per_pair / (t.prefill.utilisation.empty() ? 1.0
                                                                  : *std::max_element(t.prefill.utilisation.begin(),
                                                                                      t.prefill.utilisation.end()));
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t n = 1; n < t.tiles.chunks.size() / t.tiles.knots; ++n) {
    const auto q = static_cast<double>(n) * static_cast<double>(t.tiles.tile_tokens);
    const auto work = [&](std::size_t i) { return t.tiles.chunks[n * t.tiles.knots + i].work_ns; };
    for (std::size_t i = 0; i < t.tiles.knots; ++i)
      least = std::min(least, work(i) / (q * static_cast<double>(PrefillTiles::knot(i)) + q * (q + 1) / 2));
    const std::size_t last = t.tiles.knots - 1;  // the last line goes on for ever
    const double rise = (work(last) - work(last - 1)) /
                        static_cast<double>(PrefillTiles::knot(last) - PrefillTiles::knot(last - 1));
    least = std::min(least, rise / q);
  }
  return std::isfinite(least) ? std::max(0.0, least) : 0.0;
}

double fewest_steps(const RunConfig& run, const Work& w) {
  const double pool = static_cast<double>(run.kv.pool.count()) / static_cast<double>(run.kv.bytes_per_token.count());
  return std::max({w.turns / static_cast<double>(run.scheduler.max_batch),
                   (w.prompt + w.decode) / static_cast<double>(run.scheduler.max_batched_tokens), w.held / pool});
}

double table_ns(const StepCost::Table& t, const RunConfig& run, const Work& w) {
  const double tokens = w.prompt + w.decode;
  const double steps = fewest_steps(run, w);
  double dense = 0;
  for (const Line& line : lines_below(t, run.scheduler.max_batched_tokens))
    dense = std::max(dense, line.a * steps + line.b * tokens);
  return dense + decode_attention_ns(t, run, w) + w.pairs * least_ns_a_pair(t) * least_of(t.boost.ratio);
}

double linear_ns(const StepCost::Linear& c, const RunConfig& run, const Work& w) {
  const double steps = fewest_steps(run, w);
  return c.base_ns * steps + c.per_prefill_token_ns * w.prompt + c.per_decode_seq_ns * w.decode +
         c.per_kv_token_ns * w.context;
}
}  // namespace

double rate_bound(const RunConfig& run, const RequestSet& set) {
  const Work w = work_of(run, set);
  const double ns = run.cost.kind() == StepCost::Kind::linear ? linear_ns(run.cost.linear(), run, w)
                                                              : table_ns(run.cost.table(), run, w);
  return ns > 0 ? static_cast<double>(set.size()) / ns * 1e9 : std::numeric_limits<double>::infinity();
}
}  // namespace stowage
