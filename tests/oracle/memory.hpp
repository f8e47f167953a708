#pragma once
// A memory manager, written down block by block (S6). It spends no time: it lists the work that its answer costs.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/run_config.hpp"
#include "tests/oracle/sequence.hpp"
#include "tests/oracle/work.hpp"

namespace stowage::oracle {

class Memory {
 public:
  virtual ~Memory() = default;
  /// S2.9, S2.10: could an empty pool never hold this request?
  [[nodiscard]] virtual bool never_fits(const Sequence& s) const = 0;
  /// S6.1: room for n tokens of a new resident; `others` = requests in `running` already. S6.3: a failure changes
  /// nothing and adds no work.
  virtual bool admit(Sequence& s, std::int64_t n, std::size_t others, WorkList& work) = 0;
  /// S6.1: room for m tokens in all.
  virtual bool extend(Sequence& s, std::int64_t m, WorkList& work) = 0;
  virtual void release(Sequence& s, WorkList& work) = 0;
  /// A batch was formed: what may run beside its step. `running` in its order, this step's tokens in `scheduled`.
  virtual void beside(const std::vector<Sequence*>& running, WorkList& work) {
    (void)running;
    (void)work;
  }

  [[nodiscard]] virtual std::int64_t held_bytes(const Sequence& s) const = 0;  // S6.6
  [[nodiscard]] virtual std::int64_t cached_bytes() const { return 0; }        // S10.7
  [[nodiscard]] virtual std::int64_t lost_bytes() const = 0;                   // S10.8
};

[[nodiscard]] std::unique_ptr<Memory> make_memory(const RunConfig& config);
[[nodiscard]] std::unique_ptr<Memory> make_reserve(const RunConfig& config);
[[nodiscard]] std::unique_ptr<Memory> make_paged(const RunConfig& config);
[[nodiscard]] std::unique_ptr<Memory> make_vattention(const RunConfig& config);

/// A parameter of the manager.
[[nodiscard]] inline std::int64_t integer(const RunConfig& c, const char* key) {
  return std::get<std::int64_t>(c.manager.params.at(key));
}
[[nodiscard]] inline std::string word(const RunConfig& c, const char* key) {
  return std::get<std::string>(c.manager.params.at(key));
}
[[nodiscard]] inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
}  // namespace stowage::oracle
