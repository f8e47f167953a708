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
  /// S16.6 to S16.8: how many leading tokens of a request that waits are there already. Changes nothing.
  [[nodiscard]] virtual std::int64_t lookup(const Sequence&) const { return 0; }
  /// S6.1: room for tokens `from` ... `to` of a new resident, `from` as lookup() just said; `others` = requests in
  /// `running` already. S6.3: a failure changes nothing and adds no work.
  virtual bool admit(Sequence& s, std::int64_t from, std::int64_t to, std::size_t others, WorkList& work) = 0;
  /// S6.1: room for m tokens in all.
  virtual bool extend(Sequence& s, std::int64_t m, WorkList& work) = 0;
  virtual void release(Sequence& s, WorkList& work) = 0;
  /// An output of s, which runs, was delivered: one more of its tokens is known.
  virtual void delivered(Sequence&) {}
  /// A batch was formed: what may run beside its step. `running` in its order, this step's tokens in `scheduled`.
  virtual void beside(const std::vector<Sequence*>& running, WorkList& work) {
    (void)running;
    (void)work;
  }

  /// S6.6, S16.17: what is kept for s, without what counts for another resident: that is shared.
  [[nodiscard]] virtual std::int64_t held_bytes(const Sequence& s) const = 0;
  [[nodiscard]] virtual std::int64_t shared_tokens(const Sequence&) const { return 0; }
  [[nodiscard]] virtual std::int64_t cached_bytes() const { return 0; }  // S10.7
  [[nodiscard]] virtual std::int64_t lost_bytes() const = 0;             // S10.8
  [[nodiscard]] virtual std::int64_t free_blocks() const { return 0; }   // for logs
};

[[nodiscard]] std::unique_ptr<Memory> make_memory(const RunConfig& config);
[[nodiscard]] std::unique_ptr<Memory> make_reserve(const RunConfig& config);
[[nodiscard]] std::unique_ptr<Memory> make_paged(const RunConfig& config);
[[nodiscard]] std::unique_ptr<Memory> make_prefix_paged(const RunConfig& config);
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
