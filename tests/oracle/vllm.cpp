// S3: whoever runs, in order, then whoever waits, within a budget of tokens.
#include <algorithm>

#include "tests/oracle/scheduler.hpp"

namespace stowage::oracle {

void form_vllm(Boundary& at) {
  const std::int64_t threshold =
      at.long_prefill_threshold > 0 && at.c.chunked_prefill ? at.long_prefill_threshold : at.c.max_batched_tokens;
  std::int64_t budget = at.c.max_batched_tokens;                       // S3.2
  for (std::size_t i = 0; i < at.running.size() && budget > 0; ++i) {  // S3.3
    Sequence& s = *at.running[i];
    if (s.delivered + s.ordered >= s.outputs) continue;                              // S17.5
    const std::int64_t n = std::min({s.target() - s.scheduled, threshold, budget});  // S3.4, S3.21
    if (!at.grow(s, n)) break;                                                       // S3.5, S3.6, S3.7
    budget -= n;
  }
  if (at.preempted()) return;                                                  // S3.11
  for (Sequence* s = at.head(); s != nullptr && budget > 0; s = at.head()) {   // S3.12
    const std::int64_t from = at.lookup(*s);                                   // S16.7
    const std::int64_t n = std::min({s->target() - from, threshold, budget});  // S3.13, S3.21, S16.9
    if (!at.c.chunked_prefill && n < s->target() - from) break;                // S3.14
    if (!at.admit_head(from, n)) break;                                        // S3.15, S3.16
    budget -= n;
  }
}
}  // namespace stowage::oracle
