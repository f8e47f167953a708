#include "gpu_probe/canary.hpp"

#include <chrono>
#include <thread>

#include "gpu_probe/basic_kernels.hpp"
#include "gpu_probe/gemm.hpp"

namespace stowage::probe {
namespace {
constexpr int rows = 2048, width = 4096, columns = 28672;
}

Canary::Canary(const DeviceInfo& device) : sms_(device.sms), data_(bytes), sink_(sizeof(std::uint32_t)) {
  launch_fill_random(timer_.stream(), data_.as<>(), bytes, 7, true);
  CUDA_CHECK(cudaStreamSynchronize(timer_.stream()));
}

Figure Canary::read(Rng& rng) {
  const StopRule rule{.rel_noise = 0.005, .samples_min = 20, .samples_max = 40, .timeout_s = 0.1};
  const Series series =
      measure([&](int) { launch_read(timer_.stream(), data_.as<>(), bytes, sink_.as<std::uint32_t>(), sms_); }, rule,
              timer_, rng);
  return figure("read", {{"bytes", std::int64_t{bytes}}}, "us", series,
                {{"gbps", gbps(double{bytes}, series.summary().median)}});
}

std::vector<Figure> Canary::products() {
  if (!gemm_missing().empty()) return {};
  Gemm gemm;
  // Operands and result lie in the random data: x and w at its start, y at its end, each larger than the L2 or new.
  const auto* x = data_.as<std::uint16_t>();
  const auto* w = x + std::size_t{rows} * width;
  DeviceBuffer y(std::size_t{rows} * columns * 2);
  const auto launch = [&](int) { gemm.run(timer_.stream(), x, w, y.as<>(), rows, columns, width); };
  const auto point = [&](const char* state, const Series& series) {
    return figure("product",
                  {{"m", std::int64_t{rows}},
                   {"n", std::int64_t{columns}},
                   {"k", std::int64_t{width}},
                   {"state", std::string(state)}},
                  "us", series);
  };
  timer_.warm_up(launch, 0);
  Series rested;
  constexpr int burst = 24;  // 20 ms at most
  for (int i = 0; i < 5 && !timer_.interrupted(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const Sample all = timer_.time(
        [&](int) {
          for (int k = 0; k < burst; ++k) launch(k);
        },
        i);
    rested.add(Sample{all.us / burst, all.sm_clock_mhz, all.slowed});
  }
  const Series loaded = timer_.sustained(launch, 0.6);
  return {point("rested", rested), point("loaded", loaded)};
}

std::vector<CanaryPoint> Canary::points(const std::string& after, double at_s, Rng& rng) {
  std::vector<CanaryPoint> out = {{after, at_s, read(rng)}};
  for (Figure& f : products()) out.push_back({after, at_s, std::move(f)});
  return out;
}

}  // namespace stowage::probe
