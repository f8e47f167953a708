#pragma once
// Figures of a probe that is made up, in us.
#include "calibrate/parts.hpp"

namespace stowage::testing {
inline ProbeFigure& add(ProbeFile& probe, const char* part, const char* name,
                        std::map<std::string, ProbeFigure::Value, std::less<>> keys, double us) {
  probe.parts[part].status = "measured";
  ProbeFigure& f = probe.parts[part].figures.emplace_back();
  f.name = name;
  f.unit = "us";
  f.n = 1;
  f.median = f.mean = us;
  f.keys = std::move(keys);
  return f;
}
}  // namespace stowage::testing
