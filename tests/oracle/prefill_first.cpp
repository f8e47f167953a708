// S4: whole prompts alone while any can be admitted, else a token of everyone running.
#include "tests/oracle/scheduler.hpp"

namespace stowage::oracle {

void form_prefill_first(Boundary& at) {
  std::int64_t budget = at.c.max_batched_tokens;
  for (Sequence* s = at.head(); s != nullptr; s = at.head()) {  // S4.1
    const std::int64_t from = at.lookup(*s);
    const std::int64_t n = s->target() - from;
    if (n > budget) break;               // S4.2
    if (!at.admit_head(from, n)) break;  // S4.3, S4.4
    budget -= n;
  }
  if (!at.rows.empty()) return;  // S4.5
  for (std::size_t i = 0; i < at.running.size(); ++i)
    if (!at.grow(*at.running[i], 1)) break;  // S4.6
}
}  // namespace stowage::oracle
