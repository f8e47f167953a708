// Prefill attention: tiles going round the SMs, and a smooth correction by new tokens and context.
#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "calibrate/fit.hpp"
#include "calibrate/parts.hpp"

namespace stowage::detail {
namespace {
using Chunks = std::vector<std::pair<std::int64_t, std::int64_t>>;

constexpr double reach = 0.7;  // of a measured ratio, in powers of two
constexpr double slope_damping = 0.1;

struct Point {
  Chunks chunks;
  double ns = 0;                          // in a graph, at the reference clock
  double tile_count = 0, items = 0;       // of the busiest SM, for a single chunk
  double work_tiles = 0, work_items = 0;  // of all SMs together, over their number
  [[nodiscard]] bool single() const { return chunks.size() == 1; }
  [[nodiscard]] double q() const { return static_cast<double>(chunks.front().first); }
  [[nodiscard]] double kv() const { return q() + static_cast<double>(chunks.front().second); }
};

/// What the busiest SM does of one chunk alone, as Profile::prefill_attention has it.
Point counted(std::pair<std::int64_t, std::int64_t> chunk, const Profile& profile) {
  const auto& [q, stored] = chunk;
  const DecodePrices& d = profile.decode;
  const std::int64_t tile = profile.prefill_tile_tokens(d.heads, d.kv_heads);
  const std::int64_t units = d.heads / (profile.prefill_query_rows / tile);
  const std::int64_t tiles = (q + tile - 1) / tile;
  const auto sms = static_cast<double>(profile.sms);
  Point p;
  p.chunks = {chunk};
  std::vector<std::pair<double, double>> busy(static_cast<std::size_t>(profile.sms));
  for (std::int64_t i = 0; i < tiles * units; ++i) {
    const std::int64_t context = stored + std::min(q, (tiles - i / units) * tile);
    const std::int64_t round = i / profile.sms, place = i % profile.sms;
    auto& [depth, number] = busy[static_cast<std::size_t>(round % 2 == 0 ? place : profile.sms - 1 - place)];
    const auto deep = static_cast<double>((context + 127) / 128);
    depth += deep;
    number += 1;
    p.work_tiles += deep / sms;
    p.work_items += 1 / sms;
  }
  const auto longest = *std::max_element(busy.begin(), busy.end());
  p.tile_count = longest.first;
  p.items = longest.second;
  return p;
}

/// The residual ratio at (q, kv): a plane through the ratios near by in log2, weighted by distance, its slopes damped;
/// `skip` is left out.
double smooth(const std::vector<Point>& points, const std::vector<double>& ratio, double q, double kv,
              std::size_t skip) {
  Eigen::Matrix3d a = Eigen::Vector3d(0.02, slope_damping, slope_damping).asDiagonal();
  Eigen::Vector3d b(0.02, 0, 0);  // far from all points there is no correction
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (i == skip || !points[i].single()) continue;
    const Eigen::Vector3d x(1, std::log2(points[i].q() / q), std::log2(points[i].kv() / kv));
    const double distance = x[1] * x[1] + x[2] * x[2];
    const double w = std::exp(-distance / (2 * reach * reach));
    a += w * x * x.transpose();
    b += w * ratio[i] * x;
  }
  return a.ldlt().solve(b)[0];
}

std::vector<Point> points_of(const ProbeFile& probe, const std::string& loader, std::int64_t block,
                             const LaunchCosts& launch, const StepClock& clock, const Profile& profile) {
  const DecodePrices& d = profile.decode;
  std::vector<Point> points;
  for (const ProbeFigure* f : probe.find("attention", "prefill")) {
    if (f->text("loader") != loader || f->integer("block_tokens") != block || f->integer("heads") != d.heads ||
        f->integer("kv_heads") != d.kv_heads || f->integer("head_dim") != d.head_dim || f->integer("new_tokens") < 1)
      continue;
    Chunks chunks = parse_chunks(f->text("chunk_list"));
    if (chunks.empty())
      chunks.assign(static_cast<std::size_t>(std::clamp<std::int64_t>(f->integer("batch", 1), 1, 1024)),
                    {f->integer("new_tokens"), f->integer("stored_tokens")});
    Point p = counted(chunks.front(), profile);
    p.chunks = std::move(chunks);
    const double ns = launch.in_graph(f->median * 1e3);
    // Cycles are what stays the same; launches too short for their clock to be seen are not slowed.
    p.ns = f->clock_mhz > 0 ? ns * f->clock_mhz / clock.reference() : ns;
    points.push_back(p);
  }
  return points;
}

/// What a launch of one or several chunks adds up to, as StepCost::ns has it.
struct Launch {
  double fixed = 0, work = 0, alone = 0, slack = 0;
  [[nodiscard]] double ns(double unfilled) const { return fixed + std::max(alone, work + unfilled * slack); }
};

/// The share that errs least over all launches; a single chunk does not depend on it.
double best_unfilled(const std::vector<Launch>& launches, const std::vector<FitPoint>& points) {
  double best = 0.5, least = -1;
  for (int percent = 0; percent <= 100; percent += 5) {
    double error = 0;
    for (std::size_t i = 0; i < launches.size(); ++i)
      error += std::abs(launches[i].ns(percent / 100.0) / points[i].measured_ns - 1);
    if (least >= 0 && error >= least) continue;
    least = error;
    best = percent / 100.0;
  }
  return best;
}

std::vector<double> grid_of(double from, double to) {
  std::vector<double> out;
  for (double x = from; x <= to; x *= 2) out.push_back(x);
  return out;
}

/// Paged by the copy engine over contiguous, by new tokens.
void add_blocks(const ProbeFile& probe, Profile& profile, const PrefillPrices& base) {
  for (const std::int64_t block : {16, 32, 64, 128, 256}) {
    std::vector<double> q, ratio;
    for (const ProbeFigure* f : probe.find("attention", "prefill_over_contiguous")) {
      if (f->text("loader") != "tensor" || f->integer("block_tokens") != block || f->integer("batch", 1) != 1 ||
          f->integer("heads") != profile.decode.heads || f->integer("kv_heads") != profile.decode.kv_heads ||
          f->integer("head_dim") != profile.decode.head_dim || f->integer("stored_tokens") != 0)
        continue;
      q.push_back(static_cast<double>(f->integer("new_tokens")));
      ratio.push_back(f->median);
    }
    if (q.empty()) continue;
    PrefillPrices paged = base;
    paged.block_tokens = block;
    for (std::size_t r = 0; r < paged.new_tokens.size(); ++r) {
      double weights = 0, mean = 0;
      for (std::size_t i = 0; i < q.size(); ++i) {
        const double w = 1 / (std::pow(std::log2(paged.new_tokens[r] / q[i]), 2) + 0.1);
        weights += w;
        mean += w * ratio[i];
      }
      for (std::size_t c = 0; c < paged.kv_tokens.size(); ++c)
        paged.correction[r * paged.kv_tokens.size() + c] *= mean / weights;
    }
    profile.prefill.push_back(std::move(paged));
  }
}
}  // namespace

PartFit fit_prefill(const ProbeFile& probe, const LaunchCosts& launch, const StepClock& clock, Profile& profile,
                    const std::vector<std::pair<std::string, std::int64_t>>& kernels) {
  PartFit fit;
  std::vector<double> residuals;
  std::vector<Launch> launches;
  constexpr std::size_t none = static_cast<std::size_t>(-1);
  for (const auto& [loader, block] : kernels) {
    const auto points = points_of(probe, loader, block, launch, clock, profile);
    if (points.size() < 4) missing(probe, "attention", "prefill by " + loader);
    std::vector<Equation> equations;
    for (const Point& p : points)
      if (p.single()) equations.push_back({{1, p.tile_count, p.items}, p.ns});
    const auto fitted = fit_nonnegative(equations, 0.05);
    PrefillPrices prices{loader, block, fitted[0], fitted[1], fitted[2], grid_of(16, 16384), grid_of(16, 131072), {}};
    const auto model = [&](const Point& p) { return fitted[0] + fitted[1] * p.tile_count + fitted[2] * p.items; };
    std::vector<double> ratio;
    for (const Point& p : points) ratio.push_back(p.ns / model(p));
    for (const double q : prices.new_tokens)
      for (const double kv : prices.kv_tokens) prices.correction.push_back(smooth(points, ratio, q, kv, none));
    for (std::size_t i = 0; i < points.size(); ++i) {
      Launch launched;
      double tokens = 0;
      std::string label;
      for (const auto& chunk : points[i].chunks) {
        const Point one = counted(chunk, profile);
        const double factor = smooth(points, ratio, one.q(), one.kv(), i);
        const double work = (fitted[1] * one.work_tiles + fitted[2] * one.work_items) * factor;
        const double alone = model(one) * factor - fitted[0];
        launched.work += work;
        launched.alone = std::max(launched.alone, alone);
        launched.slack = std::max(launched.slack, alone - work);
        tokens += one.q();
        label += fmt::format("{}{}@{}", label.empty() ? "" : ",", chunk.first, chunk.second);
      }
      launched.fixed = fitted[0];
      launches.push_back(launched);
      fit.points.push_back(
          {loader + " " + label, loader + (points[i].single() ? "" : ", several chunks"), tokens, points[i].ns, 0});
    }
    profile.prefill.push_back(prices);
    if (loader == "tensor") add_blocks(probe, profile, prices);
  }
  profile.prefill_unfilled = best_unfilled(launches, fit.points);
  for (std::size_t i = 0; i < launches.size(); ++i) {
    fit.points[i].predicted_ns = launches[i].ns(profile.prefill_unfilled);
    residuals.push_back(fit.points[i].residual());
  }
  fit.error = error_of("prefill", residuals, "prefill attention, contiguous and gathered, left out one at a time");
  return fit;
}
}  // namespace stowage::detail
