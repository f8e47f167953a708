// Workloads of requests already in memory, and what their prompts have in common as a workload says it.
#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include "tests/differential/random_scenario.hpp"

namespace stowage {
namespace {

struct Content {
  std::vector<std::uint64_t> hashes;
  std::vector<PromptContent::Turn> turns;
};

class InMemoryWorkload final : public Workload {
 public:
  InMemoryWorkload(std::vector<Request> requests, std::vector<Content> contents, std::int64_t hash_tokens)
      : requests_(std::move(requests)), contents_(std::move(contents)), hash_tokens_(hash_tokens) {}
  std::unique_ptr<RequestStream> open() const override { return std::make_unique<Stream>(*this); }

 private:
  class Stream final : public RequestStream {
   public:
    explicit Stream(const InMemoryWorkload& w) : w_(w), rest_(w.requests_) {}
    std::size_t read(std::span<Request> out) override {
      const std::size_t n = std::min(out.size(), rest_.size());
      std::copy_n(rest_.begin(), n, out.begin());
      rest_ = rest_.subspan(n);
      return n;
    }
    PromptContent content(const Request& r) const override {
      if (r.content < 0) return {};
      const Content& c = w_.contents_[static_cast<std::size_t>(r.content)];
      return {c.hashes, w_.hash_tokens_, 0, c.turns};
    }

   private:
    const InMemoryWorkload& w_;
    std::span<const Request> rest_;
  };

  std::vector<Request> requests_;
  std::vector<Content> contents_;
  std::int64_t hash_tokens_;
};
}  // namespace

std::shared_ptr<const Workload> in_memory(std::vector<Request> requests, const std::vector<oracle::PromptShape>& shapes,
                                          std::int64_t hash_tokens) {
  std::map<std::string, std::size_t> last;  // turn of each session
  std::vector<Content> contents;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    Content c;
    const std::string& session = shapes[i].session;
    if (const auto before = last.find(session); !session.empty() && before != last.end()) {
      const std::size_t j = before->second;
      c = contents[j];
      c.turns.push_back({requests[j].id, requests[j].prompt_tokens + requests[j].output_tokens});
    } else {
      c.hashes = shapes[i].hashes;
    }
    if (!session.empty()) last[session] = i;
    const std::int64_t prompt = requests[i].prompt_tokens;
    c.hashes.resize(std::min(c.hashes.size(), static_cast<std::size_t>(prompt / hash_tokens)));
    requests[i].content = static_cast<std::int32_t>(i);
    contents.push_back(std::move(c));
  }
  return std::make_shared<InMemoryWorkload>(std::move(requests), std::move(contents), hash_tokens);
}

void Case::bind() {
  std::map<std::string, std::int64_t> known;  // tokens of each session
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    // A prompt holds all earlier turns.
    if (requests[i].prompt_tokens < known[shapes[i].session]) shapes[i].session.clear();
    if (!shapes[i].session.empty()) known[shapes[i].session] = requests[i].prompt_tokens + requests[i].output_tokens;
    shapes[i].prompt = requests[i].prompt_tokens;
    shapes[i].output = requests[i].limit();
    shapes[i].stop_at = requests[i].stops_by_itself() ? requests[i].output_tokens : 0;
  }
  config.workload = in_memory(requests, shapes, hash_tokens);
}
}  // namespace stowage
