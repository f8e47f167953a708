#pragma once
// Requests that wait, first come, first served: fresh ones join at the tail, preempted ones (with their state in the
// table) at the head.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/request.hpp"
#include "sim/kernel/sequence.hpp"

namespace stowage {

class WaitingQueue {
 public:
  struct Entry {
    Request request;
    Sid preempted = no_sid;
  };
  WaitingQueue() : ring_(1024) {}
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(size_); }
  [[nodiscard]] const Entry& front() const { return ring_[head_]; }
  void pop_front() {
    head_ = (head_ + 1) & (ring_.size() - 1);
    --size_;
  }
  void push_back(const Request& r) {
    if (size_ == ring_.size()) grow();
    ring_[(head_ + size_++) & (ring_.size() - 1)] = {r, no_sid};
  }
  void push_front(const Request& r, Sid preempted) {
    if (size_ == ring_.size()) grow();
    head_ = (head_ + ring_.size() - 1) & (ring_.size() - 1);
    ring_[head_] = {r, preempted};
    ++size_;
  }
  /// A preempted one, which stands near the head.
  void remove(Sid preempted) {
    const std::size_t mask = ring_.size() - 1;
    std::size_t i = head_;
    while (ring_[i].preempted != preempted) i = (i + 1) & mask;
    for (; i != head_; i = (i + mask) & mask) ring_[i] = ring_[(i + mask) & mask];
    pop_front();
  }

 private:
  void grow() {
    std::vector<Entry> bigger(ring_.size() * 2);
    for (std::size_t i = 0; i < size_; ++i) bigger[i] = ring_[(head_ + i) & (ring_.size() - 1)];
    ring_.swap(bigger);
    head_ = 0;
  }
  std::vector<Entry> ring_;  // a power of two long
  std::size_t head_ = 0, size_ = 0;
};
}  // namespace stowage
