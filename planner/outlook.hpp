#pragma once
// What lies around the answer, for people to look at: latency against rate beside the sustained one, and what the
// winner's sustained rate becomes when one thing changes. Decides nothing.
#include <optional>
#include <string>
#include <vector>

#include "planner/search.hpp"

namespace stowage {

/// Full probes of one candidate at rising rates, from a tenth of its sustained rate to a third beyond, none cut short.
struct Curve {
  std::size_t candidate = 0;
  std::vector<Probe> probes;
};

/// The sustained rate of one replica with one thing changed; nullopt = no rate is sustained, or it cannot be run.
struct RateWhatIf {
  std::string what;                 // "prompt and output lengths"
  std::string low_text, high_text;  // "20 % shorter"
  std::optional<double> low_per_s, high_per_s;
  std::string note;  // stands instead: "not modelled"
};

struct Outlook {
  std::vector<Curve> curves;  // of the winner, then of the best of each other kind of manager
  double base_per_s = 0;      // the winner, unchanged, by the same shorter search as the changes
  std::vector<RateWhatIf> what_if;
};

/// The same for any `jobs`.
[[nodiscard]] Outlook look_around(const Workbench& bench, const SearchResult& found, std::size_t winner, int jobs);
}  // namespace stowage
