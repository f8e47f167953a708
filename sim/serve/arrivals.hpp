#pragma once
// The trace cursor, or a fleet's inbox. Arrivals are merged from the cursor, never put in a heap; only requests that
// waited for the end of others stand in one.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "base/request.hpp"

namespace stowage {

class Arrivals {
 public:
  static constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();

  static constexpr std::size_t batch = 2048;

  /// Without a workload the requests are pushed.
  explicit Arrivals(const Workload* workload) : stream_(workload ? workload->open() : nullptr), rows_(batch) {
    refill();
    settle();
  }

  /// When the next request arrives; `none` at the end of the workload, or when nothing was pushed.
  [[nodiscard]] std::int64_t next_ns() const { return next_ns_; }
  Request take() {
    if (!followers_.empty() && (at_ == size_ || later(rows_[at_], followers_.front()))) return take_follower();
    const Request r = rows_[at_++];
    if (at_ == size_) refill();
    settle();
    STOWAGE_ASSERT(next_ns_ >= r.arrival_ns);
    return r;
  }
  /// One that waited for the end of another (RequestStream::ended), and arrives no sooner than those taken.
  void follow(const Request& r) {
    followers_.push_back(r);
    std::push_heap(followers_.begin(), followers_.end(), later);
    settle();
  }
  /// In order of arrival but for what a front end's delays change: such a request moves up, behind its equals.
  void push(const Request& r) {
    if (size_ == rows_.size()) make_room();
    std::size_t i = size_++;
    for (; i > at_ && rows_[i - 1].arrival_ns > r.arrival_ns; --i) rows_[i] = rows_[i - 1];
    rows_[i] = r;
    settle();
  }
  /// Of the workload; nullptr without one.
  [[nodiscard]] RequestStream* stream() const { return stream_.get(); }
  [[nodiscard]] std::size_t pushed() const { return size_ - at_; }

 private:
  /// S15.13.
  static bool later(const Request& a, const Request& b) {
    return a.arrival_ns != b.arrival_ns ? a.arrival_ns > b.arrival_ns : a.id > b.id;
  }
  Request take_follower() {
    std::pop_heap(followers_.begin(), followers_.end(), later);
    const Request r = followers_.back();
    followers_.pop_back();
    settle();
    return r;
  }
  void settle() {
    next_ns_ = at_ == size_ ? none : rows_[at_].arrival_ns;
    if (!followers_.empty()) next_ns_ = std::min(next_ns_, followers_.front().arrival_ns);
  }
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
  }
  std::unique_ptr<RequestStream> stream_;
  std::vector<Request> rows_;
  std::vector<Request> followers_;  // a heap, the first to arrive on top
  std::size_t at_ = 0, size_ = 0;
  std::int64_t next_ns_ = none;
};
}  // namespace stowage
