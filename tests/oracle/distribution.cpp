#include <algorithm>

#include "tests/oracle/oracle.hpp"

namespace stowage {

double OracleDistribution::percentile(std::uint64_t permille) const {
  if (values.empty()) return none;
  const std::uint64_t rank = (permille * values.size() + 999) / 1000;
  return values[std::max<std::uint64_t>(rank, 1) - 1];
}

void OracleDistribution::take(const std::vector<std::int64_t>& list) {
  __int128 sum = 0;
  for (const std::int64_t v : list) {
    sum += v;
    values.push_back(static_cast<double>(v));
  }
  if (!list.empty()) mean = static_cast<double>(sum) / static_cast<double>(list.size());
}

void OracleDistribution::sort() {
  std::sort(values.begin(), values.end());
  if (!values.empty()) max = values.back();
}
}  // namespace stowage
