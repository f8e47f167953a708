#pragma once
// Interpolation in a profile's grids. Implementation of the prices of profile.hpp.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace stowage::detail {

/// Cell of an ascending grid and the fraction in it; below and above the grid the fraction is outside [0, 1].
inline std::pair<std::size_t, double> cell(const std::vector<double>& grid, double x) {
  const auto it = std::upper_bound(grid.begin(), grid.end(), x);
  const auto above = static_cast<std::size_t>(it - grid.begin());
  const std::size_t i = std::clamp<std::size_t>(above, 1, grid.size() - 1) - 1;
  return {i, (x - grid[i]) / (grid[i + 1] - grid[i])};
}

/// Interpolated, held at both ends.
inline double held(const std::vector<double>& grid, const std::vector<double>& values, double x) {
  if (grid.size() < 2) return values.empty() ? 1.0 : values.front();
  const auto [i, f] = cell(grid, x);
  return std::lerp(values[i], values[i + 1], std::clamp(f, 0.0, 1.0));
}

/// Cell and fraction in log2, held at both ends.
inline std::pair<std::size_t, double> log_cell(const std::vector<double>& grid, double x) {
  if (grid.size() < 2) return {0, 0.0};
  const auto [i, unused] = cell(grid, x);
  const double f = std::log2(std::max(x, 1.0) / grid[i]) / std::log2(grid[i + 1] / grid[i]);
  return {i, std::clamp(f, 0.0, 1.0)};
}
}  // namespace stowage::detail
