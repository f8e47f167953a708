#pragma once
// A real memory manager: carries out what the engine's manager decided, on the GPU's memory, and says what it cost.
// One file each: reserved.cpp, paged.cpp, mapped.cpp; stores.cpp lists them.
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "gpu_probe/cuda.hpp"
#include "gpu_probe/kernels/kv_view.hpp"
#include "gpu_probe/probe.hpp"
#include "gpu_probe/replay/fault.hpp"
#include "sim/run_config.hpp"
#include "sim/serve/executor.hpp"

namespace stowage::replay {

/// Calls of the driver's virtual-memory interface and the time spent in them. `beside` = by the background thread.
struct DriverWork {
  std::uint64_t maps = 0, set_accesses = 0, unmaps = 0;
  std::int64_t map_ns = 0, set_access_ns = 0, unmap_ns = 0;
  std::int64_t beside_ns = 0;  // of the above
  [[nodiscard]] std::int64_t busy_ns() const { return map_ns + set_access_ns + unmap_ns; }
  DriverWork operator-(const DriverWork& o) const {
    return {maps - o.maps,          set_accesses - o.set_accesses,   unmaps - o.unmaps,
            map_ns - o.map_ns,      set_access_ns - o.set_access_ns, unmap_ns - o.unmap_ns,
            beside_ns - o.beside_ns};
  }
};

class KvStore {
 public:
  virtual ~KvStore() = default;
  /// One view a layer; addresses stay for good.
  [[nodiscard]] virtual std::vector<probe::KvView> views() const = 0;
  /// Waits for the background work of the last plan.
  virtual void wait_beside() {}
  /// Memory work that the step waits for. The GPU must be idle and no background work under way.
  virtual void prepare(const IterationPlan& plan) = 0;
  /// Starts the background work of this plan, if any.
  virtual void start_beside() {}
  /// Queues what the kernels need to find the K and V of this plan's requests.
  virtual void upload(const IterationPlan& plan, cudaStream_t stream) = 0;
  /// Back to holding nothing, between passes.
  virtual void reset() = 0;
  /// The run is over: does what is left, and waits for it.
  virtual void finish(std::span<const MemoryOp>, std::span<const MemoryOp>) {}
  /// Bytes this manager really keeps, for requests and for later; no background work under way.
  [[nodiscard]] virtual std::int64_t held_bytes() const = 0;
  [[nodiscard]] virtual std::int64_t units_held() const = 0;  // regions, blocks or pages
  /// Of finished background work.
  [[nodiscard]] virtual DriverWork driver_work() const { return {}; }
  /// Unmapping that should have run beside an iteration but was needed at once, in pages.
  [[nodiscard]] virtual std::uint64_t hurried() const { return 0; }
  [[nodiscard]] virtual double create_s() const { return 0; }  // making the physical handles at start-up
};

struct StoreSetup {
  const RunConfig* config = nullptr;
  const probe::ModelShape* shape = nullptr;
  int layers = 0;
  int device = 0;
  Fault fault = Fault::none;
};

/// Allocates everything, or throws and leaves nothing.
[[nodiscard]] std::unique_ptr<KvStore> make_reserved(const StoreSetup& setup);
[[nodiscard]] std::unique_ptr<KvStore> make_paged(const StoreSetup& setup);
[[nodiscard]] std::unique_ptr<KvStore> make_mapped(const StoreSetup& setup);
[[nodiscard]] std::unique_ptr<KvStore> make_store(const StoreSetup& setup);

}  // namespace stowage::replay
