// Fleets of one-at-a-time servers against queueing theory. A replica with max_batch 1 whose every step takes 1 ms is a
// single server, first come first served, whose service time is its request's output tokens x 1 ms. Seeds are fixed;
// tolerances are a few times what seeds differ by.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <vector>

#include "base/rng.hpp"
#include "sim/serve/simulate.hpp"
#include "sim/result.hpp"
#include "sim/run_config.hpp"

namespace stowage {
namespace {

class List final : public Workload {
 public:
  explicit List(std::vector<Request> requests) : requests_(std::move(requests)) {}
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override { return std::make_unique<Stream>(requests_); }

 private:
  struct Stream final : RequestStream {
    explicit Stream(std::span<const Request> all) : rest(all) {}
    std::size_t read(std::span<Request> out) override {
      const std::size_t n = std::min(out.size(), rest.size());
      std::copy_n(rest.begin(), n, out.begin());
      rest = rest.subspan(n);
      return n;
    }
    std::span<const Request> rest;
  };
  std::vector<Request> requests_;
};

constexpr double mean_tokens = 100;
constexpr double token_ns = 1e6;
enum class Service { exponential, constant };

/// `load` of the capacity of all servers together, Poisson arrivals.
RunConfig servers(std::int64_t replicas, const char* router, double load, Service service, std::size_t count) {
  Rng arrivals(1, "theory arrivals"), lengths(1, "theory lengths");
  const double gap_ns = mean_tokens * token_ns / (load * static_cast<double>(replicas));
  std::vector<Request> requests;
  double at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    at += arrivals.exponential(gap_ns);
    // Geometric with mean 100: a squared coefficient of variation of 0.99 instead of 1.
    const double tokens = service == Service::constant
                              ? mean_tokens
                              : std::ceil(std::log1p(-lengths.uniform()) / std::log1p(-1 / mean_tokens));
    requests.push_back({static_cast<std::int64_t>(at), 1, static_cast<std::int32_t>(std::max(1.0, tokens)), i});
  }
  RunConfig c;
  c.scheduler = {.max_batch = 1, .max_batched_tokens = 8, .max_model_len = 1 << 13};
  c.kv = {Bytes{1 << 20}, Bytes{1}, 1, 1};
  c.cost = StepCost(StepCost::Linear{token_ns, 0, 0, 0});
  c.manager = {"paged", "paged", {{"block_size", std::int64_t{16}}, {"watermark", 0.0}}};
  c.workload = std::make_shared<List>(std::move(requests));
  c.fleet = {router, 1, {{"", replicas, 1, c.kv, c.cost, c.vmm}}};
  return c;
}

/// From arrival to service, in mean services.
double mean_wait(const RunConfig& c) {
  const RunResult r = simulate(c, {});
  EXPECT_EQ(r.completed, r.submitted);
  return r.queue_ns.mean() / (mean_tokens * token_ns);
}

/// Erlang C: the wait in an M/M/k queue, in services.
double mmk_wait(int k, double rho) {
  const double a = k * rho;
  double sum = 0, term = 1;  // a^n / n!
  for (int n = 0; n < k; ++n) {
    sum += term;
    term *= a / (n + 1);
  }
  const double waits = term / (1 - rho) / (sum + term / (1 - rho));
  return waits / (k * (1 - rho));
}

// Random splitting of a Poisson stream gives k independent M/M/1 queues: W = rho / (1 - rho) services; at 0.8: 4.
TEST(RouterTheory, RandomIsMM1) {
  EXPECT_NEAR(mean_wait(servers(8, "random", 0.8, Service::exponential, 400'000)), 4.0, 0.25);
}

// M/D/1 (Pollaczek-Khinchine without variance): W = rho / (2 (1 - rho)); at 0.8: 2.
TEST(RouterTheory, RandomIsMD1) {
  EXPECT_NEAR(mean_wait(servers(8, "random", 0.8, Service::constant, 400'000)), 2.0, 0.12);
}

// In turn to k servers: each sees gaps of k exponentials. E_k/M/1: W = s / (1 - s) with s the root in (0, 1) of
// s = (k rho / (k rho + 1 - s))^k, the transform of a gap at 1 - s. For k = 8, rho = 0.8: s = 0.6436, W = 1.806.
TEST(RouterTheory, RoundRobinIsErlangM1) {
  double s = 0.5;
  for (int i = 0; i < 1000; ++i) s = std::pow(8 * 0.8 / (8 * 0.8 + 1 - s), 8);
  EXPECT_NEAR(mean_wait(servers(8, "round-robin", 0.8, Service::exponential, 400'000)), s / (1 - s), 0.1);
}

// Joining the shortest queue avoids a server that is busy while another idles, but not one that will be late: it waits
// longer than M/M/k, where nobody waits for one server, and the two meet in heavy traffic (Foschini and Salz 1978).
TEST(RouterTheory, ShortestQueueLiesJustAboveMMk) {
  const double pooled = mmk_wait(2, 0.9);
  EXPECT_NEAR(pooled, 0.81 / 0.19, 1e-9);  // M/M/2: rho^2 / (1 - rho^2)
  const double jsq = mean_wait(servers(2, "least-outstanding", 0.9, Service::exponential, 400'000));
  EXPECT_GT(jsq, pooled * 0.95);
  EXPECT_LT(jsq, pooled * 1.25);
}

// Mitzenmacher 2001 ("The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10)), as n grows: the share
// of queues with at least i requests is rho^(2^i - 1), so a request is in the system for the sum over i >= 1 of
// rho^(2^i - 2) services; at 0.9: 1 + 0.81 + 0.5314 + 0.2288 + 0.0424 + 0.0015 = 2.6141, less its own service 1.6141.
// A hundred servers come near from above.
TEST(RouterTheory, PowerOfTwoMeetsMitzenmacher) {
  double time = 0;
  for (int i = 1; i < 12; ++i) time += std::pow(0.9, std::pow(2, i) - 2);
  EXPECT_NEAR(time, 2.6141, 1e-3);
  EXPECT_NEAR(mean_wait(servers(100, "power-of-two", 0.9, Service::exponential, 400'000)), time - 1, 0.16);
}

// What a router knows is worth something: random waits longest, then two choices, then all of them, then one queue.
TEST(RouterTheory, KnowingMoreWaitsLess) {
  const double random = mean_wait(servers(8, "random", 0.9, Service::exponential, 200'000));
  const double two = mean_wait(servers(8, "power-of-two", 0.9, Service::exponential, 200'000));
  const double jsq = mean_wait(servers(8, "least-outstanding", 0.9, Service::exponential, 200'000));
  EXPECT_GT(random, 2 * two);
  EXPECT_GT(two, 1.2 * jsq);
  EXPECT_GT(jsq, 0.95 * mmk_wait(8, 0.9));
}
}  // namespace
}  // namespace stowage
