#pragma once
// The requests of a study, held once and shared by every probe: common random numbers. A probe plays them faster or
// slower, never others, so that two configurations, or two rates, differ by nothing but themselves.
#include <cstdint>
#include <memory>
#include <vector>

#include "base/request.hpp"
#include "base/rng.hpp"

namespace stowage {

struct RequestSet {
  std::shared_ptr<const std::vector<Request>> rows;  // from time 0, in order of arrival, ids 0, 1, ...
  double rate_per_s = 0;                             // (n - 1) / (last - first arrival)
  double prompt_mean = 0, output_mean = 0;
  [[nodiscard]] std::size_t size() const { return rows->size(); }
};
[[nodiscard]] RequestSet request_set(std::vector<Request> rows);

/// The first eighth, at least 500 requests.
[[nodiscard]] RequestSet brief_of(const RequestSet& set);

/// Everything a workload brings, at most `most` requests. What their prompts are made of is dropped. Throws InputError
/// when requests wait for others.
[[nodiscard]] std::vector<Request> read_all(const Workload& workload, std::size_t most);
/// The stretch of `window_ns` with the most arrivals; the earliest of several.
[[nodiscard]] std::vector<Request> busiest_window(const std::vector<Request>& rows, std::int64_t window_ns);
/// The first `count` requests, or copies one after the other (each a span and a mean gap later) until there are as
/// many.
[[nodiscard]] std::vector<Request> of_length(const std::vector<Request>& rows, std::size_t count);
/// Moving-block bootstrap (Künsch, Annals of Statistics 17(3), 1989): blocks of consecutive requests with their gaps
/// and lengths, drawn with replacement, one after the other; keeps bursts and correlations shorter than a block.
[[nodiscard]] std::vector<Request> block_bootstrap(const std::vector<Request>& rows, std::size_t block, Rng& rng);
/// Prompts and outputs times `factor`, at least one token, rounded to the nearest.
[[nodiscard]] std::vector<Request> with_lengths(const std::vector<Request>& rows, double factor);

/// The requests at another rate: arrival times divided by rate / set.rate_per_s, to the nearest nanosecond.
[[nodiscard]] std::shared_ptr<const Workload> at_rate(const RequestSet& set, double rate_per_s);
}  // namespace stowage
