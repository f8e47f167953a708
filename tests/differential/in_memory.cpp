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
  InMemoryWorkload(std::vector<Request> requests, std::vector<Content> contents, std::int64_t hash_tokens,
                   std::vector<oracle::Follow> follows)
      : requests_(std::move(requests)),
        contents_(std::move(contents)),
        hash_tokens_(hash_tokens),
        follows_(std::move(follows)) {}
  std::unique_ptr<RequestStream> open() const override { return std::make_unique<Stream>(*this); }

 private:
  class Stream final : public RequestStream {
   public:
    explicit Stream(const InMemoryWorkload& w) : w_(w), rest_(w.requests_) {}
    std::size_t read(std::span<Request> out) override {
      std::size_t n = 0;
      for (; n < out.size() && !rest_.empty(); rest_ = rest_.subspan(1))
        if (!waits(rest_.front())) out[n++] = rest_.front();
      return n;
    }
    bool has_followers() const override { return !w_.follows_.empty(); }
    void ended(const Request& r, std::int64_t at_ns, std::vector<Request>& ready) override {
      for (const Request& q : w_.requests_) {
        if (!waits(q) || w_.follows_[q.id].after != static_cast<std::int64_t>(r.id)) continue;
        ready.push_back(q);
        ready.back().arrival_ns = std::max(q.arrival_ns, at_ns + w_.follows_[q.id].think_ns);
      }
    }
    PromptContent content(const Request& r) const override {
      if (r.content < 0) return {};
      const Content& c = w_.contents_[static_cast<std::size_t>(r.content)];
      return {c.hashes, w_.hash_tokens_, 0, c.turns};
    }

   private:
    [[nodiscard]] bool waits(const Request& q) const {
      return !w_.follows_.empty() && w_.follows_[q.id].after >= 0;
    }
    const InMemoryWorkload& w_;
    std::span<const Request> rest_;
  };

  std::vector<Request> requests_;
  std::vector<Content> contents_;
  std::int64_t hash_tokens_;
  std::vector<oracle::Follow> follows_;
};
}  // namespace

std::shared_ptr<const Workload> in_memory(std::vector<Request> requests, const std::vector<oracle::PromptShape>& shapes,
                                          std::int64_t hash_tokens, const std::vector<oracle::Follow>& follows) {
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
  return std::make_shared<InMemoryWorkload>(std::move(requests), std::move(contents), hash_tokens, follows);
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
  config.workload = in_memory(requests, shapes, hash_tokens, follows);
}
}  // namespace stowage
