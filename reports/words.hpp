#pragma once
// What the numbers say, in sentences: the headline, and one line above every chart. Plain text, not escaped.
#include <cstdint>
#include <string>
#include <vector>

#include "sim/latency.hpp"
#include "reports/report_input.hpp"

namespace stowage::words {

enum class Verdict : std::uint8_t { none, pass, mixed, fail };  // against the SLO; none = no targets

struct Headline {
  Verdict verdict = Verdict::none;
  std::string sentence;              // the first thing anyone reads
  std::vector<std::string> reasons;  // at most three more
};
/// Managers whose numbers lie within 1 % of each other are called alike; of a p99, 5 %.
[[nodiscard]] Headline headline(const ReportInput& input);

/// Why a percentile of the SLO and the same one of the table may differ; empty when they cannot.
[[nodiscard]] std::string two_percentiles(const ReportInput& input);
/// Why a run that served no request did not, without a full stop: "4 submitted, 4 rejected; ...".
[[nodiscard]] std::string why_none(const RunResult& run);
[[nodiscard]] std::string memory_over_time(const RunResult& run);
[[nodiscard]] std::string waste(const ReportInput& input);
/// "Half of the requests within ...; 99 % within ...".
[[nodiscard]] std::string distribution(const ReportInput& input, const Latency& latency);
[[nodiscard]] std::string budget(const ReportInput& input);
[[nodiscard]] std::string stalls(const ReportInput& input);
[[nodiscard]] std::string pareto(const ReportInput& input);
[[nodiscard]] std::string occupancy(const RunResult& run);
/// Where the median and the p99 request of each run spent their time.
[[nodiscard]] std::string lives(const ReportInput& input);
/// What run `i` reacts to most.
[[nodiscard]] std::string sensitivity(const Sensitivity& s, std::size_t i);
/// What each run is short of: nothing, KV memory, places in the batch, or compute.
[[nodiscard]] std::string bottlenecks(const ReportInput& input);
/// "measured", or what is missing: "roofline, not calibrated".
[[nodiscard]] std::string evidence(Evidence evidence);
}  // namespace stowage::words
