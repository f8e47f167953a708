#pragma once
// What the points of a study have in common and need not be read or compiled again: models, GPUs, requests, price
// tables. Safe from any thread. The first to ask for a key makes its value; a value depends on nothing but its key.
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/request.hpp"
#include "scenario/scenario.hpp"

namespace stowage {

/// Values by key, shared. An exception of `make` goes to the caller and leaves nothing behind.
template <class T>
class SharedByKey {
 public:
  template <class Make>
  std::shared_ptr<const T> get(const std::string& key, Make make) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = values_.find(key); found != values_.end()) return found->second;
    }
    // Made outside the lock: another thread may make the same, and one of the two is thrown away.
    auto made = std::make_shared<const T>(make());
    const std::lock_guard lock(mutex_);
    return values_.emplace(key, std::move(made)).first->second;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const T>> values_;
};

struct ScenarioCache {
  struct Requests {
    std::shared_ptr<const Workload> workload;  // held in memory up to `held_requests_max`
    WorkloadSpec spec;
    std::optional<TraceLedger> ledger;
    std::vector<std::string> warnings = {};
  };
  static constexpr std::size_t held_requests_max = std::size_t{1} << 21;  // 48 MiB
  /// Of one point, requests are streamed and price tables end at its limits; of many, requests are held and tables
  /// reach as far as most points need, so that points that differ by their limits share one.
  bool many_points = false;

  SharedByKey<ModelSpec> models;
  SharedByKey<HardwareSpec> hardware;
  SharedByKey<std::optional<Profile>> profiles;  // by path, or by the name of the hardware it is shipped for
  SharedByKey<Requests> traces;    // by path, limit and repeat: at rate_scale 1, without a spec
  SharedByKey<Requests> requests;  // by the text of `workload`, its folder and the seed
  SharedByKey<StepCost> costs;     // by all that a price table depends on, its reach included
  SharedByKey<std::string> measured;  // what of such a table measurements price, in words
};
}  // namespace stowage
