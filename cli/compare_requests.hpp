#pragma once
// The requests of two runs, for the intervals of `stowage compare`.
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "planner/difference.hpp"

namespace stowage::cli {

struct RequestValues {
  std::vector<std::int64_t> ids, prompts, outputs;           // by id, i.e. in order of arrival
  std::map<std::string, std::vector<double>> seconds = {};  // "queue", "ttft", "tpot", "e2e"
  std::int64_t rows = 0;                                     // in the file: all that were served
  double first_s = HUGE_VAL, last_s = 0;                     // of them, the first arrival and the last end
};
inline constexpr std::size_t compared_requests_max = 20'000;  // the first of each run: enough for a p99

/// requests.csv of a result folder by manager; empty when there is none, or it is not one.
[[nodiscard]] std::map<std::string, RequestValues> read_requests(const std::filesystem::path& folder);
/// Did both serve the same requests?
[[nodiscard]] bool same_requests(const RequestValues& a, const RequestValues& b);
/// Of "ttft_s/p99" and the like, b - a, exact where summary.json has a histogram's; nothing where the requests do not
/// say.
[[nodiscard]] std::optional<Difference> metric_difference(const RequestValues& a, const RequestValues& b,
                                                      std::string_view metric);
}  // namespace stowage::cli
