// From Vidur's tables to a profile, with the fits that probe files go through where the figures are of the same kind.
#include "calibrate/vidur.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <set>

#include "calibrate/fit.hpp"
#include "calibrate/parts.hpp"

namespace stowage {
namespace {
using detail::VidurTable;
using Samples = std::map<double, std::vector<double>>;  // size -> times, ns

constexpr double element = 2;  // bytes: all were measured in 16 bits
constexpr double ms = 1e6;

struct Known {
  std::string_view hardware, gpu;
};
constexpr std::array<Known, 3> known = {{{"a100-80gb", "a100"}, {"a40", "a40"}, {"h100-sxm-80gb", "h100"}}};

std::string names(std::string_view Known::*name) {
  std::string out;
  for (const auto& k : known) out += (out.empty() ? "" : ", ") + std::string(k.*name);
  return out;
}

Known target_of(const std::string& folder, const std::string& hardware) {
  std::vector<Known> found;
  for (const auto& k : known)
    if (hardware.empty() ? detail::names_gpu(folder, k.gpu) : k.hardware == hardware) found.push_back(k);
  if (found.size() == 1) return found.front();
  if (!hardware.empty())
    throw InputError({}, fmt::format("--hardware: Vidur's tables are read for {}, not for '{}'",
                                     names(&Known::hardware), hardware));
  throw InputError({folder, 0, 0}, found.empty()
                                       ? fmt::format("no CSV below is of a GPU known here ({})", names(&Known::gpu))
                                       : fmt::format("holds tables of several GPUs; choose with --hardware, of {}",
                                                     names(&Known::hardware)));
}

/// One kernel's time, by what it is of.
struct Shape {
  std::int64_t n, k, m;
  auto operator<=>(const Shape&) const = default;
};

std::int64_t whole(double value) { return static_cast<std::int64_t>(std::llround(value)); }

ProbeFigure figure(std::string name, std::map<std::string, ProbeFigure::Value, std::less<>> keys, double ns) {
  ProbeFigure f;
  f.name = std::move(name);
  f.unit = "us";
  f.keys = std::move(keys);
  f.median = ns / 1e3;
  return f;
}

/// Products, and the kernels that only move bytes.
void fit_layers(const std::vector<VidurTable>& tables, Calibration& out) {
  std::map<Shape, std::vector<double>> products;
  Samples norm, rotate, activate, sum;
  for (const auto& table : tables) {
    for (const auto& r : table.rows) {
      const double t = r[detail::c_tensor], tokens = r[detail::c_tokens], hidden = r[detail::c_hidden];
      if (std::any_of(r.begin(), r.end(), [](double v) { return !(v >= 0); }) || t < 1 || tokens < 1 ||
          r[detail::c_heads] < 1)
        continue;
      const double head = hidden / r[detail::c_heads], q = hidden / t;
      const double kv = std::max(1.0, r[detail::c_kv_heads] / t) * head;
      const double mlp = r[detail::c_mlp] / t, ups = r[detail::c_gated] > 0 ? 2 : 1;
      const auto product = [&](double n, double k, double time) {
        if (time > 0) products[{whole(n), whole(k), whole(tokens)}].push_back(time * ms);
      };
      product(q + 2 * kv, hidden, r[detail::c_pre]);
      product(hidden, q, r[detail::c_post]);
      product(ups * mlp, hidden, r[detail::c_up]);
      product(hidden, mlp, r[detail::c_down]);
      const auto moved = [&](Samples& of, double elements, double time) {
        if (time > 0) of[elements * element * tokens].push_back(time * ms);
      };
      moved(norm, 4 * hidden, r[detail::c_norm] + r[detail::c_add]);
      moved(sum, 3 * hidden, r[detail::c_add]);
      moved(rotate, 2 * (q + kv), r[detail::c_rope]);
      moved(activate, (ups + 1) * mlp, r[detail::c_act]);
    }
  }
  ProbeFile probe;
  probe.path = tables.front().path;
  ProbePart part{"measured", "", {}};
  for (const auto& [shape, times] : products)
    part.figures.push_back(figure("gemm", {{"m", shape.m}, {"n", shape.n}, {"k", shape.k}}, median_of(times)));
  probe.parts["gemm"] = std::move(part);
  std::vector<GemmTable> raw;
  out.parts.push_back(detail::fit_gemm(probe, {}, out.profile, raw));

  PartFit small;
  out.profile.norm = detail::binned_table(norm, "norm", small);
  out.profile.rotate = detail::binned_table(rotate, "rotate", small);
  out.profile.activate = detail::binned_table(activate, "activate", small);
  out.profile.sample = detail::binned_table(sum, "add", small);
  std::vector<double> residuals;
  for (const auto& p : small.points) residuals.push_back(p.residual());
  small.error = error_of("elementwise", residuals, "kernels that only move bytes, every second size held back");
  out.parts.push_back(std::move(small));
}

struct AttentionShape {
  std::int64_t heads, kv_heads, head_dim, block;
  auto operator<=>(const AttentionShape&) const = default;
};
struct AttentionRows {
  std::map<double, Samples> decode;                                   // batch -> stored tokens of a request -> ns
  std::map<std::pair<double, double>, std::vector<double>> prefill;  // (new, stored) tokens -> ns
  std::string path;
  [[nodiscard]] std::size_t size() const {
    std::size_t n = prefill.size();
    for (const auto& [batch, row] : decode) n += row.size();
    return n;
  }
};

/// The shape with most points.
std::pair<AttentionShape, AttentionRows> attention_rows(const std::vector<VidurTable>& tables) {
  std::map<AttentionShape, AttentionRows> shapes;
  for (const auto& table : tables) {
    for (const auto& r : table.rows) {
      const double t = r[detail::c_tp], q = r[detail::c_q];
      if (!(t >= 1) || !(q >= 1) || !(r[detail::c_kv] >= 1) || !(r[detail::c_embd] >= q)) continue;
      AttentionRows& rows = shapes[{whole(q / t), std::max<std::int64_t>(1, whole(r[detail::c_kv] / t)),
                                    whole(r[detail::c_embd] / q), whole(r[detail::c_block])}];
      rows.path = table.path;
      if (r[detail::c_is_prefill] > 0) {
        if (r[detail::c_batch] == 1 && r[detail::c_chunk] >= 1 && r[detail::c_prefill] > 0)
          rows.prefill[{r[detail::c_chunk], r[detail::c_cache]}].push_back(r[detail::c_prefill] * ms);
      } else if (r[detail::c_batch] >= 1 && r[detail::c_decode] > 0) {
        rows.decode[r[detail::c_batch]][r[detail::c_cache]].push_back(r[detail::c_decode] * ms);
      }
    }
  }
  if (shapes.empty()) throw InputError({tables.front().path, 0, 0}, "no row of attention that can be used");
  return *std::max_element(shapes.begin(), shapes.end(),
                           [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
}

/// Some batches make the table; the others are judged against it.
void fit_decode_table(const AttentionShape& shape, const AttentionRows& rows, Calibration& out) {
  DecodePrices& d = out.profile.decode;
  d.heads = shape.heads;
  d.kv_heads = shape.kv_heads;
  d.head_dim = shape.head_dim;
  std::map<double, PriceTable> measured;  // by tokens of the whole batch, the new ones included
  double low = 0, high = 0;
  for (const auto& [batch, row] : rows.decode) {
    const auto b = static_cast<std::int64_t>(batch);
    const bool chosen = b <= 2 || (b & (b - 1)) == 0 || (b % 3 == 0 && ((b / 3) & (b / 3 - 1)) == 0 && b >= 12);
    if (!chosen || row.size() < 3) continue;
    PriceTable table;
    for (const auto& [stored, times] : row) {
      table.x.push_back(batch * (stored + 1));
      table.ns.push_back(median_of(times));
    }
    table.ns = monotone(table.ns);
    low = measured.empty() ? table.x.front() : std::min(low, table.x.front());
    high = std::max(high, table.x.back());
    measured[batch] = std::move(table);
  }
  if (measured.size() < 2)
    throw InputError({rows.path, 0, 0}, "decode attention of two batches at three contexts and more is needed");
  for (double x = std::ceil(low); x < high; x = std::ceil(x * 1.25)) d.kv_tokens.push_back(x);
  d.kv_tokens.push_back(high);
  for (const auto& [batch, table] : measured) {
    d.batch.push_back(batch);
    for (const double tokens : d.kv_tokens) {
      double ns = table.at(tokens);
      // Longer than was measured: as the next batch grows that reaches so far.
      if (tokens > table.x.back())
        for (auto next = measured.upper_bound(batch); next != measured.end(); ++next)
          if (next->second.x.back() >= tokens && next->second.x.front() <= table.x.back()) {
            ns = table.ns.back() * next->second.at(tokens) / next->second.at(table.x.back());
            break;
          }
      const bool first = tokens == d.kv_tokens.front();
      d.ns.push_back(first ? ns : std::max(ns, d.ns.back()));
    }
  }
  PartFit fit;
  std::vector<double> residuals;
  for (const auto& [batch, row] : rows.decode) {
    if (measured.contains(batch)) continue;
    for (const auto& [stored, times] : row) {
      const double tokens = batch * (stored + 1);
      fit.points.push_back({fmt::format("{} requests, {} tokens", batch, tokens), fmt::format("{} requests", batch),
                            tokens, median_of(times),
                            out.profile.decode_attention_ns(d.kv_heads, d.head_dim, batch, tokens, {})});
      residuals.push_back(fit.points.back().residual());
    }
  }
  fit.error = error_of("decode", residuals, "decode attention of the batches that are not in the table");
  if (!residuals.empty()) out.parts.push_back(std::move(fit));
}

void fit_attention(const std::vector<VidurTable>& tables, Calibration& out) {
  const auto [shape, rows] = attention_rows(tables);
  fit_decode_table(shape, rows, out);
  ProbeFile probe;
  probe.path = rows.path;
  ProbePart part{"measured", "", {}};
  for (const auto& [chunk, times] : rows.prefill)
    part.figures.push_back(figure("prefill",
                                  {{"loader", std::string("gather")},
                                   {"block_tokens", shape.block},
                                   {"heads", shape.heads},
                                   {"kv_heads", shape.kv_heads},
                                   {"head_dim", shape.head_dim},
                                   {"new_tokens", whole(chunk.first)},
                                   {"stored_tokens", whole(chunk.second)}},
                                  median_of(times)));
  probe.parts["attention"] = std::move(part);
  PartFit fit = detail::fit_prefill(probe, {}, {}, out.profile, {{"gather", shape.block}});
  fit.error.how = "prefill attention of one chunk, left out one at a time";
  out.parts.push_back(std::move(fit));
  out.profile.gaps.push_back(
      fmt::format("attention was timed on blocks of {}: other layouts are priced as that one", shape.block));
}

/// Attention of a GPU nobody timed it on, at the share of the data sheet's rates that another one reached.
void scale_attention(const Profile& from, const HardwareSpec& from_gpu, const HardwareSpec& to_gpu, Profile& to) {
  const double bytes = from_gpu.memory_bytes_per_s / to_gpu.memory_bytes_per_s;
  const double flops = from_gpu.bf16_flop_per_s / static_cast<double>(from_gpu.sms) /
                       (to_gpu.bf16_flop_per_s / static_cast<double>(to_gpu.sms));
  to.decode = from.decode;
  for (double& ns : to.decode.ns) ns *= bytes;
  to.prefill = from.prefill;
  to.prefill_query_rows = from.prefill_query_rows;
  to.prefill_unfilled = from.prefill_unfilled;
  for (auto& p : to.prefill) {
    p.tile_ns *= flops;
    p.item_ns *= flops;
  }
  to.gaps.push_back(fmt::format("attention was not timed on this GPU: scaled from {} by the data sheets' memory "
                                "bandwidth (decode) and FLOP/s an SM (prefill)",
                                from_gpu.title));
}

void fit_reduce(const std::vector<VidurTable>& tables, Calibration& out) {
  std::map<std::int64_t, Samples> by_gpus;
  for (const auto& table : tables)
    for (const auto& r : table.rows)
      if (r[detail::c_time] > 0 && r[detail::c_gpus] >= 2 && r[detail::c_gpus] == r[detail::c_node])
        by_gpus[whole(r[detail::c_gpus])][r[detail::c_size]].push_back(r[detail::c_time] * ms);
  PartFit fit;
  for (const auto& [gpus, samples] : by_gpus)
    out.profile.all_reduce.push_back({gpus, detail::binned_table(samples, fmt::format("{} GPUs", gpus), fit)});
  if (by_gpus.empty()) return;
  std::vector<double> residuals;
  for (const auto& p : fit.points) residuals.push_back(p.residual());
  fit.error = error_of("all_reduce", residuals, "all-reduce on one host, every second size held back");
  out.parts.push_back(std::move(fit));
}
}  // namespace

PriceTable detail::binned_table(const Samples& points, const std::string& series, PartFit& fit) {
  PriceTable table;
  std::vector<std::pair<double, double>> kept, held;
  for (const auto& [x, times] : points)
    (kept.size() <= held.size() ? kept : held).emplace_back(x, median_of(times));
  for (std::size_t i = 0; i < kept.size();) {
    std::vector<double> sizes, times;
    const double first = kept[i].first;
    for (; i < kept.size() && kept[i].first < first * 1.4; ++i) {
      sizes.push_back(kept[i].first);
      times.push_back(kept[i].second);
    }
    table.x.push_back(sizes[(sizes.size() - 1) / 2]);
    table.ns.push_back(median_of(times));
  }
  table.ns = monotone(table.ns);
  for (const auto& [x, ns] : held)
    fit.points.push_back({fmt::format("{}, {} bytes", series, x), series, x, ns, table.at(x)});
  return table;
}

Calibration calibrate_vidur(const std::string& folder, const CalibrateOptions& options) {
  const Known target = target_of(folder, options.hardware);
  const detail::VidurFiles files = detail::load_vidur(folder, target.gpu);
  if (files.dense.empty())
    throw InputError({folder, 0, 0},
                     fmt::format("no table of a layer's kernels (mlp.csv) of {}: nothing to price a step by", target.gpu));
  const HardwareSpec gpu = load_hardware(std::string(target.hardware));
  Calibration out;
  Profile& p = out.profile;
  p.name = gpu.name;
  p.gpu = gpu.title;
  p.date = "2024";
  p.evidence = ProfileEvidence::published;
  p.command = options.command;
  p.sms = gpu.sms;
  p.gaps = {"kernel times with a warm L2, to a microsecond: gaps between kernels, launches and the host's share of a "
            "step are not in them",
            "sampling was not timed: priced as adding as many bytes; a norm as two kernels, norm and addition"};
  std::string list;
  for (const auto* tables : {&files.dense, &files.attention, &files.all_reduce})
    for (const auto& t : *tables)
      list += (list.empty() ? "" : ", ") + std::filesystem::path(t.path).lexically_relative(folder).generic_string();
  p.source = fmt::format("profiling tables of Vidur (Agrawal et al., MLSys 2024; github.com/microsoft/vidur, MIT), "
                         "which carry no date: {}",
                         list);
  fit_layers(files.dense, out);
  if (!files.attention.empty()) {
    fit_attention(files.attention, out);
  } else {
    const auto other = detail::load_vidur(folder, known.front().gpu);
    if (other.attention.empty())
      throw InputError({folder, 0, 0}, fmt::format("no table of attention of {}, nor of {} to scale one from", target.gpu,
                                                   known.front().gpu));
    const HardwareSpec from_gpu = load_hardware(std::string(known.front().hardware));
    Calibration from;
    from.profile.sms = from_gpu.sms;
    fit_attention(other.attention, from);
    p.gaps.insert(p.gaps.end(), from.profile.gaps.begin(), from.profile.gaps.end());
    scale_attention(from.profile, from_gpu, gpu, p);
  }
  fit_reduce(files.all_reduce, out);
  for (const auto& fit : out.parts) p.errors.push_back(fit.error);
  out.notes = p.gaps;
  return out;
}
}  // namespace stowage
