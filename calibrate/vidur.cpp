// From Vidur's tables to a profile, with the fits that probe files go through where the figures are of the same kind.
#include "calibrate/vidur.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "calibrate/fit.hpp"
#include "calibrate/parts.hpp"
#include "models/cost/roofline.hpp"

namespace stowage {
namespace {
using detail::VidurTable;
using Samples = std::map<double, std::vector<double>>;  // bytes -> times, ns

constexpr double element = 2;  // bytes: all were measured in 16 bits
constexpr double ms = 1e6;
constexpr double spread = 0.1;  // of a part, between machines, kernels and dates: taken, the tables hold one machine
constexpr double scaled_spread = 0.25;  // of attention that another GPU was timed on: taken, as for spec sheets
constexpr std::size_t plotted_max = 600;

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
    if (hardware.empty() ? detail::has_dense_table(folder, k.gpu) : k.hardware == hardware) found.push_back(k);
  if (found.size() == 1) return found.front();
  if (!hardware.empty())
    throw InputError(
        {}, fmt::format("--hardware: Vidur's tables are read for {}, not for '{}'", names(&Known::hardware), hardware));
  if (found.empty())
    throw InputError({folder, 0, 0},
                     fmt::format("no table of a layer's kernels (mlp.csv) of {} is below; give Vidur's data/profiling",
                                 names(&Known::gpu)));
  std::string list;
  for (const auto& k : found) list += (list.empty() ? "" : ", ") + std::string(k.hardware);
  throw InputError({folder, 0, 0}, fmt::format("holds tables of several GPUs; choose with --hardware, of {}", list));
}

std::int64_t whole(double value) { return static_cast<std::int64_t>(std::llround(value)); }

/// A product of m x k by k x n.
struct Shape {
  std::int64_t n, k, m;
  auto operator<=>(const Shape&) const = default;
};

/// A layer's kernels on one GPU, sorted into products and those that only move bytes (by bytes, as Dense counts them).
struct LayerKernels {
  std::map<Shape, std::vector<double>> products;  // times, ns
  Samples norm, rotate, activate, add;

  void take(const std::vector<double>& r) {
    const double t = r[detail::c_tensor], tokens = r[detail::c_tokens], hidden = r[detail::c_hidden];
    const double head = hidden / r[detail::c_heads], q = hidden / t;
    const double kv = std::max(1.0, r[detail::c_kv_heads] / t) * head;  // fewer KV heads than GPUs: each holds one
    const double mlp = r[detail::c_mlp] / t, ups = r[detail::c_gated] > 0 ? 2 : 1;
    const auto product = [&](double n, double k, double time) {
      products[{whole(n), whole(k), whole(tokens)}].push_back(time * ms);
    };
    product(q + 2 * kv, hidden, r[detail::c_pre]);
    product(hidden, q, r[detail::c_post]);
    product(ups * mlp, hidden, r[detail::c_up]);
    product(hidden, mlp, r[detail::c_down]);
    const auto moved = [&](Samples& of, double elements, double time) {
      if (time > 0) of[elements * element * tokens].push_back(time * ms);  // 0: below the clock's microsecond
    };
    moved(norm, 4 * hidden, r[detail::c_norm] + r[detail::c_add]);  // fused in Dense: two in, two out
    moved(add, 3 * hidden, r[detail::c_add]);
    moved(rotate, 2 * (q + kv), r[detail::c_rope]);
    moved(activate, (ups + 1) * mlp, r[detail::c_act]);
  }
};

/// Whether the row names a layer and times all of its products.
bool usable(const std::vector<double>& r) {
  for (const auto column : {detail::c_pre, detail::c_post, detail::c_up, detail::c_down, detail::c_heads,
                            detail::c_kv_heads, detail::c_hidden, detail::c_mlp, detail::c_tokens, detail::c_tensor})
    if (!(r[column] > 0)) return false;
  return r[detail::c_heads] >= r[detail::c_tensor];
}

void fit_layers(const std::vector<VidurTable>& tables, Calibration& out) {
  LayerKernels kernels;
  for (const auto& table : tables)
    for (const auto& r : table.rows)
      if (usable(r)) kernels.take(r);
  const std::string& path = tables.front().path;
  if (kernels.products.empty()) throw InputError({path, 0, 0}, "no row that times all four products of a layer");
  for (const Samples* s : {&kernels.norm, &kernels.rotate, &kernels.activate, &kernels.add})
    if (s->empty())
      throw InputError({path, 0, 0}, "no times of one of input_layernorm, add, attn_rope and mlp_act in any row");
  ProbeFile probe;
  probe.path = path;
  ProbePart part{"measured", "", {}};
  for (const auto& [shape, times] : kernels.products) {
    ProbeFigure f;
    f.name = "gemm";
    f.unit = "us";
    f.keys = {{"m", shape.m}, {"n", shape.n}, {"k", shape.k}};
    f.median = median_of(times) / 1e3;
    part.figures.push_back(std::move(f));
  }
  probe.parts["gemm"] = std::move(part);
  std::vector<GemmTable> raw;
  out.parts.push_back(detail::fit_gemm(probe, {}, out.profile, raw));
  for (auto& table : out.profile.gemm) {
    // Few samples of one machine: what leaves the trend is as likely noise as the library's choice.
    table.jump_rows.clear();
    table.jump_ns.clear();
  }

  PartFit small;
  out.profile.norm = detail::binned_table(kernels.norm, "norm", small);
  out.profile.rotate = detail::binned_table(kernels.rotate, "rotate", small);
  out.profile.activate = detail::binned_table(kernels.activate, "activate", small);
  out.profile.sample = detail::binned_table(kernels.add, "add", small);
  std::vector<double> residuals;
  for (const auto& p : small.points) residuals.push_back(p.residual());
  small.error = error_of("elementwise", residuals, "kernels that only move bytes, every second size held back");
  out.parts.push_back(std::move(small));
}

void fit_reduce(const std::vector<VidurTable>& tables, Calibration& out) {
  std::map<std::int64_t, Samples> by_gpus;
  for (const auto& table : tables)
    for (const auto& r : table.rows)
      if (r[detail::c_time] > 0 && r[detail::c_size] >= 1 && r[detail::c_gpus] >= 2 &&
          r[detail::c_gpus] == r[detail::c_node])  // all on one host
        by_gpus[whole(r[detail::c_gpus])][r[detail::c_size]].push_back(r[detail::c_time] * ms);
  if (by_gpus.empty()) return;
  PartFit fit;
  for (const auto& [gpus, samples] : by_gpus)
    out.profile.all_reduce.push_back({gpus, detail::binned_table(samples, fmt::format("{} GPUs", gpus), fit)});
  std::vector<double> residuals;
  for (const auto& p : fit.points) residuals.push_back(p.residual());
  fit.error = error_of("all_reduce", residuals, "all-reduce on one host, every second size held back");
  out.parts.push_back(std::move(fit));
}

/// The tables' paths below the folder.
std::string listed(const std::string& folder, const std::vector<VidurTable>& tables) {
  std::string out;
  for (const auto& t : tables) out += ", " + std::filesystem::path(t.path).lexically_relative(folder).generic_string();
  return out;
}

void fit_attention(const std::string& folder, const Known& target, const HardwareSpec& gpu,
                   const detail::VidurFiles& files, std::uint64_t seed, Calibration& out) {
  if (!files.attention.empty()) {
    out.profile.source += listed(folder, files.attention);
    return detail::fit_vidur_attention(files.attention, out);
  }
  const Known& other = known.front();
  const detail::VidurFiles others = detail::load_vidur(folder, other.gpu);
  if (others.attention.empty())
    throw InputError({folder, 0, 0}, fmt::format("no table of attention (attention.csv) of {}, nor of {} to scale from",
                                                 target.gpu, other.gpu));
  const HardwareSpec from_gpu = load_hardware(std::string(other.hardware));
  Calibration from;
  from.profile.sms = from_gpu.sms;
  detail::fit_vidur_attention(others.attention, from);
  out.profile.source += listed(folder, others.attention);
  detail::scale_attention(from.profile, from_gpu, gpu, out.profile);
  for (const auto& gap : from.profile.gaps) out.profile.gaps.push_back(fmt::format("{}: {}", from_gpu.name, gap));
  for (const char* part : {"decode", "prefill"})
    out.profile.draws.push_back(detail::draws_of(part, {}, scaled_spread, seed));
}
}  // namespace

PriceTable detail::binned_table(const Samples& points, const std::string& series, PartFit& fit) {
  PriceTable table;
  std::vector<std::pair<double, double>> kept, held;
  for (const auto& [x, times] : points) (kept.size() <= held.size() ? kept : held).emplace_back(x, median_of(times));
  for (std::size_t i = 0; i < kept.size();) {
    std::vector<double> sizes, times;
    const double first = kept[i].first;
    for (; i < kept.size() && kept[i].first < first * 1.4; ++i) {
      sizes.push_back(kept[i].first);
      times.push_back(kept[i].second);
    }
    table.x.push_back(std::floor(median_of(sizes)));
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
    throw InputError({folder, 0, 0}, fmt::format("no table of a layer's kernels (mlp.csv) of {}", target.gpu));
  const HardwareSpec gpu = load_hardware(std::string(target.hardware));
  Calibration out;
  Profile& p = out.profile;
  p.name = gpu.name;
  p.gpu = gpu.title;
  p.date = "2024";  // of the paper
  p.evidence = ProfileEvidence::published;
  p.command = options.command;
  p.source =
      "profiling tables of Vidur (Agrawal et al., MLSys 2024; github.com/microsoft/vidur, MIT licence), which carry no "
      "date, driver or clocks: " +
      listed(folder, files.dense).substr(2) + listed(folder, files.all_reduce);
  p.sms = gpu.sms;
  p.host_graph_ns = p.host_eager_ns = RooflineEfficiency{}.step_ns;
  p.gaps = {
      fmt::format("the host's share of a step was not timed: {:.1f} ms taken, as with spec sheets",
                  p.host_graph_ns / ms),
      "kernels were timed one by one, to a microsecond: gaps between them, and what the power limit makes of a whole "
      "step, are not in the prices",
      "the output head, sampling and writing K and V were not timed: priced by the nearest products and by bytes",
      "calls of the driver's virtual memory were not timed: those of the hardware's description are used"};
  fit_layers(files.dense, out);
  fit_attention(folder, target, gpu, files, options.seed, out);
  fit_reduce(files.all_reduce, out);
  for (auto& fit : out.parts) {
    p.errors.push_back(fit.error);
    std::vector<double> residuals;
    for (const auto& point : fit.points) residuals.push_back(point.residual());
    p.draws.push_back(detail::draws_of(fit.error.part, residuals, spread, options.seed));
    const std::size_t step = fit.points.size() / plotted_max + 1;
    std::vector<FitPoint> plotted;
    for (std::size_t i = 0; i < fit.points.size(); i += step) plotted.push_back(std::move(fit.points[i]));
    fit.points = std::move(plotted);
  }
  out.notes = p.gaps;
  return out;
}
}  // namespace stowage
