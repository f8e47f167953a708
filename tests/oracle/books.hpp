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

  /// S10.2: from this boundary until the next one memory stands as it does now; notes its levels in `it`.
  void stand_still(IterationRecord& it, std::int64_t now_ns, const Queues& q, bool head_blocked);
  /// S10.4 to S10.6: a residency ends with `completed` tokens stored; what it held beyond them was never to be used.
  void settle(Sequence& s);
  /// S10.13, S12.21: nothing counts after `end_ns`.
  void close(std::int64_t end_ns);

  [[nodiscard]] std::int64_t live_bytes(const Queues& q) const;  // S10.3
  [[nodiscard]] std::vector<OracleSegment>& segments() { return segments_; }

 private:
  [[nodiscard]] std::int64_t live_tokens(const Sequence& s) const;
  [[nodiscard]] OracleSegment still(std::int64_t start_ns, const Queues& q, bool blocked) const;

  const Memory& memory_;
  std::int64_t pool_, bpt_;
  std::vector<OracleSegment> segments_;  // the last one is open
};
}  // namespace stowage::oracle
