#pragma once
// Small fits: all errors are relative, so that a microsecond counts as much at 10 us as a millisecond at 10 ms.
#include <cstddef>
#include <span>
#include <vector>

#include "models/cost/profile.hpp"

namespace stowage {

/// One equation: value = sum of coefficient[i] x term[i].
struct Equation {
  std::vector<double> terms;
  double value = 0;
};

/// Coefficients >= 0 that minimise Huber's loss of the relative residuals (Lawson and Hanson's active sets inside
/// iteratively reweighted least squares). Residuals within `knee` count square, larger ones linear. Same order, same
/// bits. Throws InputError when there are fewer equations than coefficients.
[[nodiscard]] std::vector<double> fit_nonnegative(std::span<const Equation> equations, double knee = 0.02);

/// The non-decreasing sequence nearest in sum of absolute relative differences (pool adjacent violators with weighted
/// medians): one wild value moves no neighbour.
[[nodiscard]] std::vector<double> monotone(std::span<const double> values);

[[nodiscard]] double median_of(std::vector<double> values);
/// Nearest rank.
[[nodiscard]] double percentile_of(std::vector<double> values, double share);

/// Error of `residuals` (prediction / measurement - 1) as a part of a profile.
[[nodiscard]] PartError error_of(std::string part, std::span<const double> residuals, std::string how);
}  // namespace stowage
