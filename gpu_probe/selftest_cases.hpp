#pragma once
// What the self-test's files share. Each check_*() allocates what it needs, compares, and frees.
#include <functional>
#include <string>
#include <vector>

#include "gpu_probe/kv_image.hpp"

namespace stowage::probe {

class Checks {
 public:
  explicit Checks(const std::function<void(const std::string&)>& report) : report_(report) {}
  void add(const std::string& name, double error, double limit);  // fails above the limit, and on NaN
  void add(const std::string& name, bool ok);
  [[nodiscard]] int failed() const { return failed_; }

 private:
  const std::function<void(const std::string&)>& report_;
  int failed_ = 0;
};

/// bf16 outputs carry 2^-9 of rounding, bf16 probabilities a little more; the norm over many elements is well below.
inline constexpr double kAttentionErrorMax = 4e-3;

/// The layouts every attention kernel must give the same bits for.
[[nodiscard]] inline std::vector<Layout> checked_layouts() {
  std::vector<Layout> layouts = {{0, TableOrder::sequential, 0}, {0, TableOrder::sequential, 3}};
  for (const int block : kBlockSizes) layouts.push_back({block, TableOrder::random, 0});
  layouts.push_back({16, TableOrder::sequential, 0});
  layouts.push_back({32, TableOrder::grouped, 0});
  layouts.push_back({16, TableOrder::random, 3});
  return layouts;
}

template <class T>
[[nodiscard]] std::vector<T> download(const DeviceBuffer& buffer, std::size_t count) {
  std::vector<T> out(count);
  CUDA_CHECK(cudaMemcpy(out.data(), buffer.as<>(), count * sizeof(T), cudaMemcpyDeviceToHost));
  return out;
}

/// A buffer of random bf16 in [-1, 1), and its contents.
[[nodiscard]] inline std::pair<DeviceBuffer, std::vector<Bf16>> random_buffer(std::size_t count, std::uint64_t seed) {
  std::vector<Bf16> host(count);
  for (std::size_t i = 0; i < count; ++i) host[i] = random_bf16(seed, i);
  return {KvImage::upload(std::span<const Bf16>(host)), host};
}

void check_decode(Checks& checks);
void check_planted_faults(Checks& checks);
void check_prefill(Checks& checks);
void check_step(Checks& checks);
void check_replay(Checks& checks);

}  // namespace stowage::probe
