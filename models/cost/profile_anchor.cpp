// A profile carried from one machine to another of its kind.
#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "models/cost/profile.hpp"

namespace stowage {
Profile Profile::anchored(const CanaryTimes& there) const {
  STOWAGE_ASSERT(canary.whole() && there.whole());
  const double read = there.read_ns / canary.read_ns, loaded = there.loaded_ns / canary.loaded_ns;
  const double rested_now = there.rested_ns / canary.rested_ns;
  // Products of few rows read weights, those of many compute: between 64 and 256 rows one turns into the other.
  const auto share = [](double rows) { return std::clamp(std::log2(std::max(rows, 1.0) / 64) / 2, 0.0, 1.0); };
  Profile p = *this;
  for (auto* chain : {&p.chain_graph, &p.chain_eager})
    for (std::size_t i = 0; i < chain->rows.size(); ++i)
      chain->ratio[i] *= std::lerp(read, loaded, share(chain->rows[i]));
  for (std::size_t i = 0; i < p.slowdown.size(); ++i)
    p.slowdown[i] *= std::lerp(read, loaded, share(p.slowdown_rows[i]));
  for (double& ns : p.decode.ns) ns *= read;
  for (std::size_t i = 0; i < p.rested.rows.size(); ++i)
    p.rested.ratio[i] = std::min(1.0, p.rested.ratio[i] * std::lerp(1.0, rested_now / loaded, share(p.rested.rows[i])));
  p.canary = there;
  return p;
}
}  // namespace stowage
