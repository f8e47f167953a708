// Decode attention: a table by batch and stored tokens, and ratios of other memory layouts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "calibrate/fit.hpp"
#include "calibrate/parts.hpp"

namespace stowage::detail {
namespace {
using Row = std::map<double, double>;  // stored tokens -> ns

double batch_of(const ProbeFigure& f) { return static_cast<double>(f.integer("batch")); }
double tokens_of(const ProbeFigure& f) { return static_cast<double>(f.integer("kv_tokens")); }

bool is_base(const ProbeFigure& f, std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim) {
  return f.integer("heads") == heads && f.integer("kv_heads") == kv_heads && f.integer("head_dim") == head_dim &&
         f.integer("interleaved_layers") == 0;
}

/// What the cells around (batch, tokens) say of it. The time depends on the tokens, and little on how many requests
/// hold them: neighbours are compared with what all other batches take on average for as many tokens.
std::optional<double> from_neighbours(const std::map<double, Row>& rows, double batch, double tokens) {
  const auto level = [&](double size) -> std::optional<double> {
    double sum = 0, count = 0;
    for (const auto& [b, row] : rows) {
      const auto it = row.find(size);
      if (it == row.end() || (b == batch && size == tokens)) continue;
      sum += std::log(it->second);
      count += 1;
    }
    return count >= 3 ? std::optional(std::exp(sum / count)) : std::nullopt;
  };
  const auto own = rows.find(batch);
  const auto here = own->second.find(tokens);
  const bool inside = here != own->second.begin() && std::next(here) != own->second.end();
  const auto base = level(tokens);
  if (!base) {  // a size of its own: a line between the sizes around it, as the table has it
    if (!inside) return std::nullopt;
    const auto a = std::prev(here), b = std::next(here);
    return a->second + (b->second - a->second) * (tokens - a->first) / (b->first - a->first);
  }
  std::vector<double> ratios;
  const auto add = [&](const Row& row, double size) {
    const auto it = row.find(size);
    const auto there = level(size);
    if (it != row.end() && there) ratios.push_back(it->second / *there);
  };
  if (own != rows.begin()) add(std::prev(own)->second, tokens);
  if (std::next(own) != rows.end()) add(std::next(own)->second, tokens);
  if (here != own->second.begin()) add(own->second, std::prev(here)->first);
  if (std::next(here) != own->second.end()) add(own->second, std::next(here)->first);
  if (ratios.empty()) return base;
  double mean = 0;
  for (const double r : ratios) mean += r / static_cast<double>(ratios.size());
  return *base * mean;
}

/// Cells nobody measured: from the next batch at the nearest size both have.
void fill(std::map<double, Row>& rows, const std::set<double>& sizes) {
  for (auto& [batch, row] : rows) {
    const double low = row.begin()->first, high = row.rbegin()->first;
    for (const double s : sizes) {
      if (row.contains(s)) continue;
      if (s < low) {
        row[s] = row.at(low);  // shorter than the shortest context measured
        continue;
      }
      if (s < high) {  // between two of its own sizes
        const auto after = row.lower_bound(s), before = std::prev(after);
        row[s] =
            before->second + (after->second - before->second) * (s - before->first) / (after->first - before->first);
      }
    }
  }
  for (auto& [batch, row] : rows) {
    for (const double s : sizes) {
      if (row.contains(s)) continue;
      const double high = row.rbegin()->first;
      double ratio = s / high;
      for (const auto& [other, others] : rows)
        if (other > batch && others.contains(s) && others.contains(high)) {
          ratio = others.at(s) / others.at(high);
          break;
        }
      row[s] = row.at(high) * ratio;
    }
  }
}

DecodePrices::Layout layout_ratio(const ProbeFile& probe, const DecodePrices& d, std::int64_t block,
                                  const char* memory) {
  std::map<double, std::vector<double>> by_tokens;
  for (const ProbeFigure* f : probe.find("attention", "decode_over_contiguous"))
    if (is_base(*f, d.heads, d.kv_heads, d.head_dim) && f->integer("block_tokens") == block && !f->flag("ragged") &&
        f->text("memory") == memory && (block == 0 || f->text("order") == "random"))
      by_tokens[tokens_of(*f)].push_back(f->median);
  DecodePrices::Layout out{block, {}, {}};
  for (auto& [tokens, ratios] : by_tokens) {
    out.kv_tokens.push_back(tokens);
    out.ratio.push_back(median_of(ratios));
  }
  return out;
}
}  // namespace

PartFit fit_decode(const ProbeFile& probe, const LaunchCosts& launch, Profile& profile) {
  const auto figures = probe.find("attention", "decode");
  if (figures.empty()) missing(probe, "attention", "decode");
  DecodePrices d;
  d.heads = figures.front()->integer("heads");
  d.kv_heads = figures.front()->integer("kv_heads");
  d.head_dim = figures.front()->integer("head_dim");
  std::map<double, Row> measured;
  std::set<double> sizes, batches;
  std::vector<std::array<double, 3>> ragged;  // batch, tokens, ns
  for (const ProbeFigure* f : figures) {
    if (!is_base(*f, d.heads, d.kv_heads, d.head_dim) || f->integer("block_tokens") != 0 ||
        f->text("memory") != "malloc")
      continue;
    const double ns = launch.in_graph(f->median * 1e3, 2);
    if (f->flag("ragged")) {
      ragged.push_back({batch_of(*f), tokens_of(*f), ns});
      continue;
    }
    measured[batch_of(*f)][tokens_of(*f)] = ns;
    sizes.insert(tokens_of(*f));
  }
  if (measured.size() < 2 || sizes.size() < 2) missing(probe, "attention", "decode");

  PartFit fit;
  std::vector<double> residuals;
  for (const auto& [batch, row] : measured) {
    for (const auto& [tokens, ns] : row) {
      const auto predicted = from_neighbours(measured, batch, tokens);
      if (!predicted) continue;
      fit.points.push_back({fmt::format("{} requests, {} tokens", batch, tokens), fmt::format("{} requests", batch),
                            tokens, ns, *predicted});
      residuals.push_back(fit.points.back().residual());
    }
  }
  fit.error = error_of("decode", residuals,
                       "decode attention, contiguous, cells left out one at a time, from those around them");

  fill(measured, sizes);
  d.kv_tokens.assign(sizes.begin(), sizes.end());
  for (const auto& [batch, row] : measured) {
    d.batch.push_back(batch);
    std::vector<double> ns;
    for (const double s : sizes) ns.push_back(row.at(s));
    ns = monotone(ns);
    d.ns.insert(d.ns.end(), ns.begin(), ns.end());
  }
  for (const std::int64_t block : {16, 32, 64, 128, 256}) {
    auto layout = layout_ratio(probe, d, block, "malloc");
    if (!layout.ratio.empty()) d.layouts.push_back(std::move(layout));
  }
  for (const char* memory : {"vmm-shuffled", "vmm"}) {  // a mapped request's pages come in any order
    auto layout = layout_ratio(probe, d, 0, memory);
    if (layout.ratio.empty()) continue;
    d.layouts.push_back(std::move(layout));
    break;
  }
  profile.decode = std::move(d);
  // Unequal contexts against equal ones of the same sum: the engine knows only the sum.
  std::vector<double> ratios;
  for (const auto& [batch, tokens, ns] : ragged)
    ratios.push_back(ns /
                     profile.decode_attention_ns(profile.decode.kv_heads, profile.decode.head_dim, batch, tokens, {}));
  if (ratios.size() > 1) {
    double mean = 0, square = 0;
    for (const double r : ratios) mean += r / static_cast<double>(ratios.size());
    for (const double r : ratios) square += (r - mean) * (r - mean) / static_cast<double>(ratios.size() - 1);
    profile.decode.ragged_ratio = mean;
    profile.decode.ragged_spread = std::sqrt(square);
  }
  return fit;
}
}  // namespace stowage::detail
