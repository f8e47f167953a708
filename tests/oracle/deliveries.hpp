#pragma once
// Outputs on their way from completed steps to clients (S11, S13), and their latencies.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "sim/run_config.hpp"
#include "tests/oracle/oracle.hpp"
#include "tests/oracle/sequence.hpp"

namespace stowage::oracle {

/// S13.2.
inline std::int64_t client_delay_ns(const FrontendCost& f, const Request& q) {
  return std::llround(f.per_request_ns + f.per_prompt_token_ns * static_cast<double>(q.prompt_tokens));
}

class Deliveries {
 public:
  explicit Deliveries(const FrontendCost& frontend) : frontend_(frontend) {}

  /// S1.17, S13.6: one output to each of `sequences`, all at once.
  void take(const std::vector<Sequence*>& sequences, std::int64_t now_ns) {
    const std::int64_t work = std::llround(frontend_.per_output_token_ns * static_cast<double>(sequences.size()));
    server_free_ = std::max(server_free_, now_ns) + work;
    for (Sequence* s : sequences) {
      if (s->delivered == 0) {
        s->record.first_token_ns = now_ns;
        s->record.client_first_token_ns = server_free_;  // S13.7
        ttft_.push_back(now_ns - s->record.arrival_ns);  // S11.1
      } else {
        tbt_.push_back(now_ns - s->last_output_ns);  // S11.2
      }
      s->last_output_ns = now_ns;
      s->delivered += 1;
      s->ordered -= 1;
    }
  }

  /// S1.18: its last output was delivered now.
  void finish(Sequence& s, std::int64_t now_ns) {
    s.record.finished_ns = now_ns;
    s.record.client_finished_ns = server_free_;  // S13.7
    completed_ += 1;
    prompt_tokens_ += s.prompt;
    output_tokens_ += s.delivered;
    e2e_.push_back(now_ns - s.record.arrival_ns);                         // S11.4
    queue_.push_back(s.record.first_scheduled_ns - s.record.arrival_ns);  // S11.5
    if (s.delivered > 1)                                                  // S11.3
      tpot_.push_back(static_cast<double>(now_ns - s.record.first_token_ns) / static_cast<double>(s.delivered - 1));
  }

  void write(OracleResult& out) const {
    out.completed = completed_;
    out.prompt_tokens = static_cast<std::uint64_t>(prompt_tokens_);
    out.output_tokens = static_cast<std::uint64_t>(output_tokens_);
    out.ttft_ns.take(ttft_);
    out.tbt_ns.take(tbt_);
    out.e2e_ns.take(e2e_);
    out.queue_ns.take(queue_);
    out.tpot_ns.values = tpot_;
  }

 private:
  FrontendCost frontend_;
  std::int64_t server_free_ = 0;
  std::uint64_t completed_ = 0;
  std::int64_t prompt_tokens_ = 0, output_tokens_ = 0;
  std::vector<std::int64_t> ttft_, tbt_, e2e_, queue_;
  std::vector<double> tpot_;
};
}  // namespace stowage::oracle
