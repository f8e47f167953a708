#pragma once
// The three KV-cache managers of the oracle, written down token by token and block by block.
#include <cstdint>
#include <memory>
#include <vector>

#include "sim/result.hpp"
#include "sim/run_config.hpp"

namespace stowage::oracle {

/// A request from its arrival to its end.
struct Resident {
  std::int64_t prompt = 0, outputs = 0;  // P, O
  std::int64_t computed = 0, produced = 0;
  std::int64_t scheduled = 0;  // tokens of the iteration under way
  std::int64_t secured = 0;    // tokens the manager has granted room for: computed, or computed + n at this boundary
  bool decoding = false;       // has got an output in this residency
  RequestRecord record;
  std::int64_t last_token_ns = 0;
  struct Stay {
    std::size_t segment;
    std::int64_t held, live;
  };  // one iteration of this residency, bytes
  std::vector<Stay> stays;
  [[nodiscard]] std::int64_t target() const { return prompt + produced; }
};

class Memory {
 public:
  virtual ~Memory() = default;
  /// Could an empty pool never hold this request?
  [[nodiscard]] virtual bool never_fits(const Resident& r) const = 0;
  /// Room for n tokens of a new resident; `others` = requests in `running` already. A failure changes nothing.
  virtual bool admit(Resident& r, std::int64_t n, std::size_t others) = 0;
  /// Room for m tokens in all.
  virtual bool extend(Resident& r, std::int64_t m) = 0;
  virtual void release(Resident& r) = 0;

  [[nodiscard]] virtual std::int64_t held_bytes(const Resident& r) const = 0;
  [[nodiscard]] virtual std::int64_t cached_bytes() const { return 0; }
  /// What rounding the pool leaves over, and round-up inside regions: lost whatever waits.
  [[nodiscard]] virtual std::int64_t lost_bytes() const = 0;

  /// Driver time the iteration that starts at `now` has to wait for, unrounded; clears the work it counts.
  virtual double take_stall_ns(std::int64_t now) {
    (void)now;
    return 0.0;
  }
  /// The iteration's work begins at `start` (after its stall): what runs beside it. `running` in running order,
  /// each with `scheduled` set.
  virtual void run_beside(std::int64_t start, const std::vector<Resident*>& running) {
    (void)start;
    (void)running;
  }
  /// Pages mapped and unmapped so far, and what is still queued counted as done.
  [[nodiscard]] virtual RunResult::Vmm driver_totals() const { return {}; }
};

[[nodiscard]] std::unique_ptr<Memory> make_memory(const RunConfig& config);
}  // namespace stowage::oracle
