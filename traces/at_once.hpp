#pragma once
// A workload as if no request took any time: requests that wait for others come as soon as these have come, and have
// thought. For what is said of a workload before it is run.
#include <memory>
#include <queue>
#include <span>
#include <vector>

#include "base/request.hpp"

namespace stowage {

class AtOnce final : public RequestStream {
 public:
  explicit AtOnce(const Workload& workload) : of_(workload.open()) {}

  [[nodiscard]] std::size_t read(std::span<Request> out) override {
    if (!of_->has_followers()) return of_->read(out);
    std::size_t n = 0;
    while (n < out.size() && next(out[n])) ++n;
    return n;
  }
  [[nodiscard]] PromptContent content(const Request& r) const override { return of_->content(r); }
  void drop(const Request& r) override { of_->drop(r); }

 private:
  struct Later {
    bool operator()(const Request& a, const Request& b) const {
      return a.arrival_ns != b.arrival_ns ? a.arrival_ns > b.arrival_ns : a.id > b.id;
    }
  };
  bool next(Request& r) {
    if (!have_ && !at_end_) {
      have_ = of_->read({&first_, 1}) == 1;
      at_end_ = !have_;
    }
    if (!have_ && waiting_.empty()) return false;
    if (have_ && (waiting_.empty() || Later()(waiting_.top(), first_))) {
      r = first_;
      have_ = false;
    } else {
      r = waiting_.top();
      waiting_.pop();
    }
    ready_.clear();
    of_->ended(r, r.arrival_ns, ready_);
    for (const Request& follower : ready_) waiting_.push(follower);
    return true;
  }

  std::unique_ptr<RequestStream> of_;
  Request first_;
  bool have_ = false, at_end_ = false;
  std::priority_queue<Request, std::vector<Request>, Later> waiting_;
  std::vector<Request> ready_;
};
}  // namespace stowage
