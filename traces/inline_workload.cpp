#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {
using Requests = std::vector<Request>;

class InlineStream final : public RequestStream {
 public:
  explicit InlineStream(std::shared_ptr<const Requests> requests) : requests_(std::move(requests)) {}
  std::size_t read(std::span<Request> out) override {
    const auto part = std::span(*requests_).subspan(next_, std::min(out.size(), requests_->size() - next_));
    std::copy(part.begin(), part.end(), out.begin());
    next_ += part.size();
    return part.size();
  }

 private:
  std::shared_ptr<const Requests> requests_;
  std::size_t next_ = 0;
};

class InlineWorkload final : public Workload {
 public:
  explicit InlineWorkload(Requests requests) : requests_(std::make_shared<const Requests>(std::move(requests))) {}
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override {
    return std::make_unique<InlineStream>(requests_);
  }

 private:
  std::shared_ptr<const Requests> requests_;
};
}  // namespace

std::shared_ptr<const Workload> inline_workload(std::vector<Request> requests) {
  std::stable_sort(requests.begin(), requests.end(),
                   [](const Request& a, const Request& b) { return a.arrival_ns < b.arrival_ns; });
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].id = i;
    STOWAGE_ASSERT(requests[i].arrival_ns >= 0);
    STOWAGE_ASSERT(requests[i].prompt_tokens >= 1 && requests[i].output_tokens >= 1);
  }
  return std::make_shared<InlineWorkload>(std::move(requests));
}
}  // namespace stowage
