#include "sim/account/metrics.hpp"

#include <algorithm>

namespace stowage {

void Metrics::reject(const Request& r, const char* reason) {
  ++rejected_;
  if (first_rejected_.size() < 100) first_rejected_.push_back({r.id, r.prompt_tokens, r.output_tokens, reason});
}

void Metrics::finish(const Sequence& q, std::int64_t now_ns, std::int64_t client_ns) {
  const Request& r = q.request;
  ++completed_;
  prompt_tokens_ += static_cast<std::uint64_t>(r.prompt_tokens);
  output_tokens_ += static_cast<std::uint64_t>(r.output_tokens);
  hit_tokens_ += q.hit;
  last_completion_ns_ = now_ns;
  ttft_ns_.add(q.first_token_ns - r.arrival_ns);
  e2e_ns_.add(now_ns - r.arrival_ns);
  queue_ns_.add(q.first_scheduled_ns - r.arrival_ns);
  if (r.output_tokens > 1) {
    const std::int64_t gaps = r.output_tokens - 1;
    const std::int64_t span = now_ns - q.first_token_ns;
    constexpr std::int64_t narrow = std::int64_t{1} << 53;  // 104 days; picoseconds of more need 128 bits
    tpot_ps_.add(span < narrow ? (span * 1000 + gaps / 2) / gaps
                               : static_cast<std::int64_t>((static_cast<Int128>(span) * 1000 + gaps / 2) / gaps));
  }
  std::int64_t client_arrival_ns = r.arrival_ns;
  if (client_) {
    client_arrival_ns -= frontend_.delay_ns(r.prompt_tokens);
    client_ttft_ns_.add(q.client_first_ns - client_arrival_ns);
    client_e2e_ns_.add(client_ns - client_arrival_ns);
  }
  if (hooks_.on_request)
    hooks_.on_request({r.id, r.arrival_ns, q.first_scheduled_ns, q.first_token_ns, now_ns, r.prompt_tokens,
                       r.output_tokens, q.preemptions, static_cast<std::int32_t>(q.hit), replica_, client_arrival_ns,
                       q.client_first_ns, client_ns});
}

void Metrics::write(RunResult& result, std::int64_t first_arrival_ns) const {
  result.submitted = submitted;
  result.completed = completed_;
  result.rejected = rejected_;
  result.unfinished = submitted - completed_ - rejected_;
  result.preemptions = preemptions;
  result.first_rejected = first_rejected_;
  result.first_arrival_ns = first_arrival_ns;
  result.makespan_ns = completed_ > 0 ? last_completion_ns_ - first_arrival_ns : 0;
  result.prompt_tokens = prompt_tokens_;
  result.output_tokens = output_tokens_;
  result.prefix.queried_tokens = static_cast<std::int64_t>(prompt_tokens_);
  result.prefix.hit_tokens = hit_tokens_;
  result.ttft_ns = ttft_ns_;
  result.tbt_ns = tbt_ns;
  result.tpot_ps = tpot_ps_;
  result.e2e_ns = e2e_ns_;
  result.queue_ns = queue_ns_;
  result.client_ttft_ns = client_ttft_ns_;
  result.client_e2e_ns = client_e2e_ns_;
  result.batch_mean = busy_ns > 0 ? static_cast<double>(running_ns) / static_cast<double>(busy_ns) : Summary::none;
  result.batch_max = batch_max;
  result.busy_ns = busy_ns;
  result.vmm.stall_ns = stall_ns;
  result.vmm.stall_max_ns = stall_max_ns;
  result.vmm.stalled_iterations = stalled_iterations;
}
}  // namespace stowage
