#pragma once
// Logarithm and exponential from + - x / alone, so that every platform rounds them alike (build with
// -ffp-contract=off). Within 2 units in the last place of the true value: enough for drawing random numbers.

namespace stowage {
/// Natural logarithm of a finite x > 0.
[[nodiscard]] double portable_log(double x);
/// e^x; 0 below -745, infinity above 709.78.
[[nodiscard]] double portable_exp(double x);
}  // namespace stowage
