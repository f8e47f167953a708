#include "sim/result.hpp"

namespace stowage {
namespace {
double per_second(std::uint64_t count, std::int64_t ns) {
  return ns > 0 ? static_cast<double>(count) / (static_cast<double>(ns) * 1e-9) : 0.0;
}
}  // namespace

double RunResult::makespan() const { return completed > 0 ? static_cast<double>(makespan_ns) : Summary::none; }
double RunResult::requests_per_s() const { return per_second(completed, makespan_ns); }
double RunResult::prompt_tokens_per_s() const { return per_second(prompt_tokens, makespan_ns); }
double RunResult::output_tokens_per_s() const { return per_second(output_tokens, makespan_ns); }
}  // namespace stowage
