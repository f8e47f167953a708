// Clients that send no more than so many requests at a time.
#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {

class ClosedStream final : public RequestStream {
 public:
  ClosedStream(std::unique_ptr<RequestStream> of, std::int64_t most, std::int64_t think_ns)
      : of_(std::move(of)), free_(most), think_ns_(think_ns), rows_(batch) {}

  [[nodiscard]] std::size_t read(std::span<Request> out) override {
    std::size_t n = 0;
    for (; n < out.size() && free_ > 0 && next(out[n]); ++n) --free_;
    return n;
  }
  [[nodiscard]] PromptContent content(const Request& r) const override { return of_->content(r); }
  void drop(const Request& r) override { of_->drop(r); }
  [[nodiscard]] bool has_followers() const override { return true; }
  void ended(const Request&, std::int64_t at_ns, std::vector<Request>& ready) override {
    Request r;
    if (!next(r)) return;
    r.arrival_ns = std::max(r.arrival_ns, at_ns + think_ns_);
    ready.push_back(r);
  }
  /// Whoever is refused has his answer.
  void rejected(const Request& r, std::int64_t at_ns, std::vector<Request>&, std::vector<Request>& ready) override {
    ended(r, at_ns, ready);
  }

 private:
  static constexpr std::size_t batch = 256;
  bool next(Request& r) {
    if (at_ == size_) {
      size_ = of_->read(rows_);
      at_ = 0;
      if (size_ == 0) return false;
    }
    r = rows_[at_++];
    return true;
  }
  std::unique_ptr<RequestStream> of_;
  std::int64_t free_, think_ns_;
  std::vector<Request> rows_;
  std::size_t at_ = 0, size_ = 0;
};

class ClosedWorkload final : public Workload {
 public:
  ClosedWorkload(std::shared_ptr<const Workload> of, std::int64_t most, std::int64_t think_ns)
      : of_(std::move(of)), most_(most), think_ns_(think_ns) {}
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override {
    return std::make_unique<ClosedStream>(of_->open(), most_, think_ns_);
  }

 private:
  std::shared_ptr<const Workload> of_;
  std::int64_t most_, think_ns_;
};
}  // namespace

std::shared_ptr<const Workload> closed_loop(std::shared_ptr<const Workload> workload, std::int64_t most,
                                            std::int64_t think_ns) {
  STOWAGE_ASSERT(most >= 1 && think_ns >= 0);
  if (workload->open()->has_followers())
    throw InputError({}, "requests of sessions and closed loops wait for others already; remove it");
  return std::make_shared<ClosedWorkload>(std::move(workload), most, think_ns);
}
}  // namespace stowage
