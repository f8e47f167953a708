#pragma once
// Requests that wait, first come, first served: fresh ones join at the tail, preempted ones, whose state stands in the
// table, at the head. So all of these stand before all of those.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/request.hpp"
#include "sim/kernel/sequence.hpp"

namespace stowage {

class WaitingQueue {
 public:
  WaitingQueue() : ring_(1024) {}
  [[nodiscard]] bool empty() const { return fresh_ == 0 && preempted_.empty(); }
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(fresh_) + std::ssize(preempted_); }
  /// The first, where it was preempted; else no_sid, and it is first_fresh().
  [[nodiscard]] Sid first_preempted() const { return preempted_.empty() ? no_sid : preempted_.back(); }
  [[nodiscard]] const Request& first_fresh() const { return ring_[head_]; }
  void pop_front() {
    if (!preempted_.empty()) return preempted_.pop_back();
    head_ = (head_ + 1) & (ring_.size() - 1);
    --fresh_;
  }
  void push_back(const Request& r) {
    if (fresh_ == ring_.size()) grow();
    ring_[(head_ + fresh_++) & (ring_.size() - 1)] = r;
  }
  void push_front(Sid preempted) { preempted_.push_back(preempted); }
  void remove(Sid preempted) { preempted_.erase(std::ranges::find(preempted_, preempted)); }

 private:
  void grow() {
    std::vector<Request> bigger(ring_.size() * 2);
    for (std::size_t i = 0; i < fresh_; ++i) bigger[i] = ring_[(head_ + i) & (ring_.size() - 1)];
    ring_.swap(bigger);
    head_ = 0;
  }
  std::vector<Request> ring_;  // a power of two long
  std::size_t head_ = 0, fresh_ = 0;
  std::vector<Sid> preempted_;  // the first at the back
};
}  // namespace stowage
