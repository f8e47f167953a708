// Prices of single operators from a profile's tables.
#include "models/cost/profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/cost/profile_grid.hpp"

namespace stowage {
namespace {
using detail::cell;
using detail::held;
using detail::log_cell;
constexpr double bf16_bytes = 2;

/// A roofline with round figures: only ratios of it between shapes are used.
double roof_ns(double m, double n, double k) {
  const double flops_ns = 2 * m * n * k / 600e3, bytes_ns = bf16_bytes * (n * k + m * (n + k)) / 3e3;
  return std::max(flops_ns, bytes_ns) + 2'000;
}

double log2_distance(const GemmTable& t, std::int64_t n, std::int64_t k) {
  const double dn = std::log2(static_cast<double>(t.n) / static_cast<double>(n));
  const double dk = std::log2(static_cast<double>(t.k) / static_cast<double>(k));
  return dn * dn + dk * dk;
}

const GemmTable* find_gemm(const std::vector<GemmTable>& tables, std::int64_t n, std::int64_t k) {
  const auto it = std::find_if(tables.begin(), tables.end(), [&](const auto& t) { return t.n == n && t.k == k; });
  return it == tables.end() ? nullptr : &*it;
}
}  // namespace

std::string_view profile_evidence_name(ProfileEvidence evidence) {
  switch (evidence) {
    case ProfileEvidence::measured:
      return "measured";
    case ProfileEvidence::published:
      return "published";
    case ProfileEvidence::engine_log:
      return "engine-log";
  }
  return "";
}

double PriceTable::at(double value) const {
  if (x.size() < 2) return ns.empty() ? 0.0 : ns.front();
  if (value <= x.front()) return ns.front();
  if (value > x.back()) {
    // Not the last segment's: where sizes lie close, that is noise, and a flat end would make all beyond it free.
    const auto half = std::upper_bound(x.begin(), x.end() - 1, x.back() / 2) - x.begin();
    const auto from = static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, half - 1));
    return ns.back() + (ns.back() - ns[from]) / (x.back() - x[from]) * (value - x.back());
  }
  const auto [i, f] = cell(x, value);
  return ns[i] + (ns[i + 1] - ns[i]) * f;
}

double GemmTable::at(double count) const {
  const auto it = std::lower_bound(jump_rows.begin(), jump_rows.end(), count);
  if (it != jump_rows.end() && *it == count) return jump_ns[static_cast<std::size_t>(it - jump_rows.begin())];
  return rows.at(count);
}

std::int64_t padded_rows(std::int64_t tokens) {
  if (tokens <= 2) return tokens;
  if (tokens <= 4) return 4;
  if (tokens <= 256) return (tokens + 7) / 8 * 8;
  return (tokens + 63) / 64 * 64;
}

bool Profile::is_scaled(std::int64_t n, std::int64_t k) const { return find_gemm(gemm, n, k) == nullptr; }

GemmAt::GemmAt(const Profile& profile, std::int64_t n, std::int64_t k)
    : own_(find_gemm(profile.gemm, n, k)), n_(static_cast<double>(n)), k_(static_cast<double>(k)) {
  if (n <= 0 || k <= 0) return;
  for (const auto& table : profile.gemm) near_.emplace_back(log2_distance(table, n, k), &table);
  std::stable_sort(near_.begin(), near_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
}

double GemmAt::ns(std::int64_t m) const {
  if (m <= 0 || near_.empty()) return 0.0;
  const auto rows = static_cast<double>(m);
  // A table that ends while its product still waits for weights would go on too flat (the head's does, at 256 rows): no
  // less then than by those that go further.
  if (own_ != nullptr && rows <= own_->rows.x.back()) return own_->at(rows);
  const auto reaches = [&](const auto& near) { return near.second->rows.x.back() >= rows; };
  const bool any = std::any_of(near_.begin(), near_.end(), reaches);
  if (!any && own_ != nullptr) return own_->at(rows);
  // Utilisation against a roofline is smooth over shapes: weigh the four nearest by distance.
  double weights = 0, utilisation = 0;
  int taken = 0;
  for (const auto& near : near_) {
    if (any && !reaches(near)) continue;
    const auto& [distance, table] = near;
    const double w = 1 / (distance + 0.05);
    weights += w;
    utilisation +=
        w * roof_ns(rows, static_cast<double>(table->n), static_cast<double>(table->k)) / table->rows.at(rows);
    if (++taken == 4) break;
  }
  const double by_others = roof_ns(rows, n_, k_) * weights / utilisation;
  return own_ == nullptr ? by_others : std::max(by_others, own_->at(rows));
}

double Profile::gemm_ns(std::int64_t m, std::int64_t n, std::int64_t k) const { return GemmAt(*this, n, k).ns(m); }

Profile::Rested::State Profile::Rested::at(double decodes) const {
  return {held(batch, capacity_ns, decodes), held(batch, recharge, decodes)};
}

double Profile::Chain::at(double step_rows) const {
  if (ratio.size() < 2) return ratio.empty() ? 1.0 : ratio.front();
  const auto [i, f] = log_cell(rows, step_rows);
  return std::lerp(ratio[i], ratio[i + 1], f);
}

double Profile::slowdown_at(double rows) const {
  if (slowdown.empty()) return 1.0;
  const auto [i, f] = log_cell(slowdown_rows, rows);
  return slowdown.size() == 1 ? slowdown.front() : std::lerp(slowdown[i], slowdown[i + 1], f);
}

bool Profile::has_all_reduce(std::int64_t gpus) const {
  return std::any_of(all_reduce.begin(), all_reduce.end(), [&](const auto& a) { return a.gpus == gpus; });
}

double Profile::all_reduce_ns(double bytes, std::int64_t gpus) const {
  if (gpus <= 1 || all_reduce.empty()) return 0.0;
  const AllReducePrices* best = &all_reduce.front();
  for (const auto& a : all_reduce)
    if (a.gpus <= gpus) best = &a;
  if (best->gpus == gpus) return best->bytes.at(bytes);
  const auto share = [](std::int64_t n) { return 2.0 * static_cast<double>(n - 1) / static_cast<double>(n); };
  const double start = best->bytes.ns.front();
  const double moved = bytes * share(gpus) / share(best->gpus);
  return start * static_cast<double>(gpus + 1) / static_cast<double>(best->gpus + 1) + (best->bytes.at(moved) - start);
}

const PartError* Profile::error_of(std::string_view part) const {
  const auto it = std::find_if(errors.begin(), errors.end(), [&](const auto& e) { return e.part == part; });
  return it == errors.end() ? nullptr : &*it;
}

Profile Profile::drawn(std::size_t i) const {
  Profile p = *this;
  for (const auto& d : draws) {
    const double f = d.factor.at(i);
    const auto scale = [f](std::vector<double>& values) {
      for (double& v : values) v *= f;
    };
    const auto scale_call = [f](std::optional<VmmPrice>& call) {
      if (!call) return;
      call->call_ns *= f;
      call->handle_ns *= f;
    };
    if (d.part == "gemm")
      for (auto& table : p.gemm) {
        scale(table.rows.ns);
        scale(table.jump_ns);
      }
    if (d.part == "elementwise")
      for (auto* kernel : {&p.norm, &p.rotate, &p.activate, &p.sample}) scale(kernel->ns);
    if (d.part == "decode") scale(p.decode.ns);
    if (d.part == "prefill")
      for (auto& loader : p.prefill) {
        loader.fixed_ns *= f;
        loader.tile_ns *= f;
        loader.item_ns *= f;
      }
    if (d.part == "dense")
      for (auto* chain : {&p.chain_graph, &p.chain_eager}) scale(chain->ratio);
    if (d.part == "host") {
      p.host_graph_ns *= f;
      p.host_eager_ns *= f;
    }
    if (d.part == "all_reduce")
      for (auto& a : p.all_reduce) scale(a.bytes.ns);
    if (d.part == "vmm")
      for (auto* call : {&p.vmm_create, &p.vmm_map, &p.vmm_set_access, &p.vmm_unmap}) scale_call(*call);
  }
  for (std::size_t b = 0; b < rested.batch.size() && !rested.drawn_recharge.empty(); ++b) {
    p.rested.capacity_ns[b] = rested.drawn_capacity_ns.at(b * draw_count() + i);
    p.rested.recharge[b] = rested.drawn_recharge.at(b * draw_count() + i);
  }
  return p;
}

std::string Profile::summary() const {
  switch (evidence) {
    case ProfileEvidence::measured:
      return fmt::format("measured on {}, {}", gpu, date);
    case ProfileEvidence::published:
      return fmt::format("published measurements of {}, {}", gpu, date);
    case ProfileEvidence::engine_log:
      return fmt::format("fitted to a serving engine's log on {}, {}", gpu, date);
  }
  return "";
}
}  // namespace stowage
