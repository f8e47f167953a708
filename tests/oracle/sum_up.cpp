// From segments and latencies to totals, means and distributions (S10, S11).
#include "base/error.hpp"
#include "tests/oracle/oracle.hpp"

namespace stowage::oracle {

void sum_up(OracleResult& out, std::int64_t pool_bytes, std::int64_t span_ns) {
  long double tpot = 0;
  for (const double v : out.tpot_ns.values) tpot += v;
  if (!out.tpot_ns.values.empty())
    out.tpot_ns.mean = static_cast<double>(tpot / static_cast<long double>(out.tpot_ns.values.size()));
  for (auto* d : {&out.ttft_ns, &out.tbt_ns, &out.tpot_ns, &out.e2e_ns, &out.queue_ns}) d->sort();

  __int128 busy_ns = 0, request_ns = 0;
  for (const auto& s : out.segments) {
    const std::int64_t length = s.end_ns - s.start_ns;
    std::int64_t pool = 0;
    for (std::size_t p = 0; p < part_count; ++p) {
      STOWAGE_ASSERT(s.bytes[p] >= 0);
      pool += s.bytes[p];
      out.byte_ns[p] += static_cast<__int128>(s.bytes[p]) * length;
    }
    STOWAGE_ASSERT(pool == pool_bytes);  // S10.1
    request_ns += static_cast<__int128>(s.running) * length;
    if (s.running > 0) busy_ns += length;
  }
  if (busy_ns > 0) out.batch_mean = static_cast<double>(request_ns) / static_cast<double>(busy_ns);  // S11.8
  const auto whole = static_cast<__int128>(pool_bytes) * span_ns;
  for (std::size_t p = 0; p < part_count; ++p)  // S10.13
    if (whole > 0) out.mean_fraction[p] = static_cast<double>(out.byte_ns[p]) / static_cast<double>(whole);
  if (whole == 0) out.mean_fraction[static_cast<std::size_t>(Part::free)] = 1.0;  // S11.12
}
}  // namespace stowage::oracle
