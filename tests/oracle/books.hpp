#pragma once
// Where every byte of the pool is, one stretch of still memory after the other (S10).
#include <cstdint>
#include <vector>

#include "tests/oracle/memory.hpp"
#include "tests/oracle/oracle.hpp"
#include "tests/oracle/sequence.hpp"

namespace stowage::oracle {

class Books {
 public:
  Books(const KvGeometry& kv, const Memory& memory)
      : memory_(memory), pool_(kv.pool.count()), bpt_(kv.bytes_per_token.count()) {}

  void start(std::int64_t at_ns) { end_ns_ = at_ns; }
  /// S10.2: memory as it stands goes for the iteration that `it` records, [start, end); notes its levels in `it`.
  void iteration(IterationRecord& it, std::int64_t end_ns, const Queues& q, bool head_blocked);
  /// S10.4 to S10.6: a residency ends with `completed` tokens stored; what it held beyond them was never to be used.
  void settle(Sequence& s);
  /// S10.2: nobody runs from `from_ns` to `to_ns`. It counts only if an iteration follows (S10.13).
  void sleep(std::int64_t from_ns, std::int64_t to_ns) { asleep_.push_back(still(from_ns, to_ns, {}, false)); }
  /// S12.21: the run of all ends then.
  void close(std::int64_t end_ns);

  [[nodiscard]] std::int64_t live_bytes(const Queues& q) const;  // S10.3
  [[nodiscard]] std::int64_t end_ns() const { return end_ns_; }  // of the last iteration
  [[nodiscard]] std::vector<OracleSegment>& segments() { return segments_; }

 private:
  [[nodiscard]] OracleSegment still(std::int64_t start_ns, std::int64_t end_ns, const Queues& q, bool blocked) const;

  const Memory& memory_;
  std::int64_t pool_, bpt_, end_ns_ = 0;
  std::vector<OracleSegment> segments_, asleep_;
};
}  // namespace stowage::oracle
