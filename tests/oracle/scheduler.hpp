#pragma once
// What a scheduler may do at a boundary, and the schedulers: one function, one file and one row each.
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "sim/run_config.hpp"
#include "tests/oracle/memory.hpp"
#include "tests/oracle/sequence.hpp"

namespace stowage::oracle {

/// The forming of one batch (S1.14). It asks the manager, and keeps rows, work and whether the head is blocked.
class Boundary {
 public:
  Boundary(const SchedulerConfig& config, Queues& queues, Memory& memory,
           std::function<void(Sequence&)> before_preemption)
      : c(config), running(queues.running), q_(queues), memory_(memory), settle_(std::move(before_preemption)) {}

  const SchedulerConfig& c;
  const std::vector<Sequence*>& running;
  std::int64_t long_prefill_threshold = 0;  // S3.21; 0 = none

  /// The head of `waiting`, or null when it is empty or `max_batch` run (S3.12, S4.1).
  [[nodiscard]] Sequence* head() const;
  /// S3.5, S3.6: room for n more tokens of a running request, preempting from the back; false if it went itself (S3.7).
  bool grow(Sequence& s, std::int64_t n);
  /// S16.6: tokens of a request that waits which are there already.
  [[nodiscard]] std::int64_t lookup(const Sequence& s) const { return memory_.lookup(s); }
  /// S3.15, S3.16: admits the head with n tokens after the `from` that are there; false if the manager refuses.
  bool admit_head(std::int64_t from, std::int64_t n);
  [[nodiscard]] bool preempted() const { return !victims.empty(); }

  std::vector<Row> rows;  // S1.6
  WorkList work;
  bool head_blocked = false;       // S10.10
  std::vector<Sequence*> victims;  // S3.8, in the order in which they went

 private:
  void give_row(Sequence& s, std::int64_t n);
  void preempt_last();

  Queues& q_;
  Memory& memory_;
  std::function<void(Sequence&)> settle_;
};

void form_vllm(Boundary& at);           // S3
void form_prefill_first(Boundary& at);  // S4

struct SchedulerOf {
  std::string_view policy;
  void (*form)(Boundary&);
};
inline constexpr SchedulerOf schedulers[] = {{"vllm", form_vllm}, {"prefill-first", form_prefill_first}};
}  // namespace stowage::oracle
