#include "planner/bound.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace stowage {
namespace {
/// Totals over the requests, all exact integers in doubles.
struct Work {
  double prompt = 0, decode = 0;  // tokens: a request decodes output - 1 times
  double context = 0;             // sum over decode tokens of what is stored before them
  double pairs = 0;               // query-key pairs of the prompts
  double turns = 0;               // steps that the requests run in, at least: one a prompt, one a decode token
};

Work work_of(const RequestSet& set) {
  Work w;
  for (const auto& r : *set.rows) {
    const double p = r.prompt_tokens, d = r.output_tokens - 1;
    w.prompt += p;
    w.decode += d;
    w.context += d * p + d * (d - 1) / 2;
    w.pairs += p * (p + 1) / 2;
    w.turns += 1 + d;
  }
  return w;
}

struct Line {
  double a, b;
};
/// The lower convex hull of a step's price over its tokens: each edge is a line that no price lies below.
std::vector<Line> lines_below(const StepCost::Table& t) {
  const auto price = [&](std::size_t m) {
    const double dense = t.boost.ratio.empty() ? t.dense_ns[m] : t.dense_ns[m] * t.boost.ratio[m];
    return m < t.decode_dense_ns.size() ? std::min(dense, t.decode_dense_ns[m]) : dense;
  };
  std::vector<std::size_t> hull;
  for (std::size_t m = 1; m < t.dense_ns.size(); ++m) {
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

double fewest_steps(const RunConfig& run, const Work& w) {
  return std::max(w.turns / static_cast<double>(run.scheduler.max_batch),
                  (w.prompt + w.decode) / static_cast<double>(run.scheduler.max_batched_tokens));
}

double table_ns(const StepCost::Table& t, const RunConfig& run, const Work& w) {
  const double tokens = w.prompt + w.decode;
  const double decode_steps = w.decode / static_cast<double>(run.scheduler.max_batch);
  const double steps = fewest_steps(run, w);
  double dense = 0;
  for (const Line& line : lines_below(t)) dense = std::max(dense, line.a * steps + line.b * tokens);
  const auto& d = t.decode;
  const double decode = std::max({0.0, attention_ns(d.c0, d.c0_per_seq, d.s0, w, decode_steps),
                                  attention_ns(d.c1, d.c1_per_seq, d.s1, w, decode_steps)});
  double best = 1;
  if (!t.prefill.utilisation.empty())
    best = *std::max_element(t.prefill.utilisation.begin(), t.prefill.utilisation.end());
  return dense + decode + w.pairs * t.prefill.ns_per_pair / best;
}

double linear_ns(const StepCost::Linear& c, const RunConfig& run, const Work& w) {
  const double steps = fewest_steps(run, w);
  return c.base_ns * steps + c.per_prefill_token_ns * w.prompt + c.per_decode_seq_ns * w.decode +
         c.per_kv_token_ns * w.context;
}
}  // namespace

double rate_bound(const RunConfig& run, const RequestSet& set) {
  const Work w = work_of(set);
  const double ns = run.cost.kind() == StepCost::Kind::linear ? linear_ns(run.cost.linear(), run, w)
                                                              : table_ns(run.cost.table(), run, w);
  return ns > 0 ? static_cast<double>(set.size()) / ns * 1e9 : std::numeric_limits<double>::infinity();
}
}  // namespace stowage
