#pragma once
// The trace cursor, or a fleet's inbox, and the queue of waiting requests. Arrivals are merged from the cursor, never
// put in a heap.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "base/request.hpp"
#include "sim/serve/sequence.hpp"

namespace stowage {

class Arrivals {
 public:
  static constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();

  static constexpr std::size_t batch = 2048;

  /// Without a workload the requests are pushed.
  explicit Arrivals(const Workload* workload) : stream_(workload ? workload->open() : nullptr), rows_(batch) {
    refill();
  }

  /// When the next request arrives; `none` at the end of the workload, or when nothing was pushed.
  [[nodiscard]] std::int64_t next_ns() const { return next_ns_; }
  Request take() {
    const Request r = rows_[at_++];
    if (at_ == size_) refill();
    else next_ns_ = rows_[at_].arrival_ns;
    STOWAGE_ASSERT(next_ns_ >= r.arrival_ns);
    return r;
  }
  /// In order of arrival but for what a front end's delays change: such a request moves up, behind its equals.
  void push(const Request& r) {
    if (size_ == rows_.size()) make_room();
    std::size_t i = size_++;
    for (; i > at_ && rows_[i - 1].arrival_ns > r.arrival_ns; --i) rows_[i] = rows_[i - 1];
    rows_[i] = r;
    next_ns_ = rows_[at_].arrival_ns;
  }
  [[nodiscard]] std::size_t pushed() const { return size_ - at_; }

 private:
  void make_room() {
    if (at_ < rows_.size() / 2) {
      rows_.resize(rows_.size() * 2);
      return;
    }
    std::copy(rows_.begin() + static_cast<std::ptrdiff_t>(at_), rows_.end(), rows_.begin());
    size_ -= at_;
    at_ = 0;
  }
  void refill() {
    size_ = stream_ ? stream_->read(rows_) : 0;
    at_ = 0;
    next_ns_ = size_ == 0 ? none : rows_[0].arrival_ns;
  }
  std::unique_ptr<RequestStream> stream_;
  std::vector<Request> rows_;
  std::size_t at_ = 0, size_ = 0;
  std::int64_t next_ns_ = none;
};

/// FCFS queue: fresh requests join at the tail, preempted ones (with their state in the table) at the head.
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
