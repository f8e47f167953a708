#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {
constexpr std::uint64_t none = ~std::uint64_t{0};

/// A session's turns: turn k begins with all that the first k of `turns` brought, and with the first one's hashes.
struct Session {
  std::vector<PromptContent::Turn> turns;
  std::int32_t hashes = -1;
};
/// Where a turn stands.
struct Place {
  std::int32_t session = -1;
  std::size_t turn = 0;
  std::int64_t think_ns = 0;
  std::uint64_t next = none;  // id of the turn behind it
};

/// What all streams share; read-only once made.
struct Listed {
  std::vector<Request> requests;  // number = id
  PromptHashes hashes;
  std::vector<Place> places;  // of each request; empty without sessions
  std::vector<Session> sessions;
  bool followers = false;  // is there a second turn anywhere?
};

class InlineStream final : public RequestStream {
 public:
  explicit InlineStream(std::shared_ptr<const Listed> listed) : listed_(std::move(listed)) {}

  std::size_t read(std::span<Request> out) override {
    const std::vector<Request>& requests = listed_->requests;
    if (!has_followers()) {
      const auto part = std::span(requests).subspan(next_, std::min(out.size(), requests.size() - next_));
      std::copy(part.begin(), part.end(), out.begin());
      next_ += part.size();
      return part.size();
    }
    std::size_t n = 0;
    for (; n < out.size() && next_ < requests.size(); ++next_)
      if (listed_->places[next_].turn == 0) out[n++] = requests[next_];
    return n;
  }

  [[nodiscard]] PromptContent content(const Request& r) const override {
    PromptContent out;
    if (r.content < 0) return out;
    std::int32_t list = r.content;
    if (!listed_->places.empty() && listed_->places[r.id].session >= 0) {
      const Place& place = listed_->places[r.id];
      const Session& session = listed_->sessions[static_cast<std::size_t>(place.session)];
      out.turns = std::span(session.turns).first(place.turn);
      list = session.hashes;
    }
    out.hashes = listed_->hashes.lists[static_cast<std::size_t>(list)];
    out.hash_tokens = out.hashes.empty() ? 0 : listed_->hashes.hash_tokens;
    return out;
  }

  [[nodiscard]] bool has_followers() const override { return listed_->followers; }
  void ended(const Request& r, std::int64_t at_ns, std::vector<Request>& ready) override {
    if (!has_followers()) return;
    const std::uint64_t next = listed_->places[r.id].next;
    if (next == none) return;
    ready.push_back(listed_->requests[next]);
    ready.back().arrival_ns = std::max(ready.back().arrival_ns, at_ns + listed_->places[next].think_ns);
  }

 private:
  std::shared_ptr<const Listed> listed_;
  std::size_t next_ = 0;
};

class InlineWorkload final : public Workload {
 public:
  explicit InlineWorkload(Listed listed) : listed_(std::make_shared<const Listed>(std::move(listed))) {}
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override { return std::make_unique<InlineStream>(listed_); }

 private:
  std::shared_ptr<const Listed> listed_;
};

/// When each request arrives if none takes any time.
std::vector<std::int64_t> earliest_arrivals(const std::vector<ListedRequest>& list, std::size_t sessions) {
  std::vector<std::int64_t> before(sessions, -1), out;
  out.reserve(list.size());
  for (const ListedRequest& l : list) {
    out.push_back(l.request.arrival_ns);
    if (l.session < 0) continue;
    std::int64_t& last = before[static_cast<std::size_t>(l.session)];
    if (last >= 0) out.back() = std::max(out.back(), last + l.think_ns);
    last = out.back();
  }
  return out;
}

void keep_whole_hashes(PromptHashes& hashes, const std::vector<ListedRequest>& list) {
  for (const ListedRequest& l : list) {
    if (l.request.content < 0) continue;
    auto& hashes_of = hashes.lists[static_cast<std::size_t>(l.request.content)];
    if (hashes_of.empty()) continue;
    const auto whole = static_cast<std::size_t>(l.request.prompt_tokens / hashes.hash_tokens);
    STOWAGE_ASSERT(hashes_of.size() <= whole + (l.request.prompt_tokens % hashes.hash_tokens == 0 ? 0 : 1));
    hashes_of.resize(std::min(hashes_of.size(), whole));
  }
}
}  // namespace

std::shared_ptr<const Workload> listed_workload(std::vector<ListedRequest> list, PromptHashes hashes) {
  keep_whole_hashes(hashes, list);
  std::int32_t sessions = 0;
  for (const ListedRequest& l : list) sessions = std::max(sessions, l.session + 1);
  const auto earliest = earliest_arrivals(list, static_cast<std::size_t>(sessions));
  std::vector<std::size_t> order(list.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return earliest[a] < earliest[b]; });

  Listed out;
  out.requests.reserve(list.size());
  out.sessions.resize(static_cast<std::size_t>(sessions));
  if (sessions > 0) {
    out.places.resize(list.size());
    hashes.lists.emplace_back();  // of turns without any
  }
  for (const std::size_t i : order) {
    Request r = list[i].request;
    r.id = out.requests.size();
    STOWAGE_ASSERT(r.arrival_ns >= 0 && r.prompt_tokens >= 1 && r.output_tokens >= 1);
    if (list[i].session >= 0) {
      Session& session = out.sessions[static_cast<std::size_t>(list[i].session)];
      const std::size_t turn = session.turns.size();
      if (r.content < 0) r.content = static_cast<std::int32_t>(hashes.lists.size()) - 1;
      if (turn == 0) session.hashes = r.content;
      else out.places[session.turns.back().request].next = r.id;
      out.followers = out.followers || turn > 0;
      STOWAGE_ASSERT(turn == 0 || r.prompt_tokens >= session.turns.back().end);
      session.turns.push_back({r.id, std::int64_t{r.prompt_tokens} + r.output_tokens});
      out.places[r.id] = {list[i].session, turn, list[i].think_ns, none};
    }
    out.requests.push_back(r);
  }
  out.hashes = std::move(hashes);
  return std::make_shared<InlineWorkload>(std::move(out));
}

std::shared_ptr<const Workload> inline_workload(std::vector<Request> requests) {
  std::vector<ListedRequest> list;
  list.reserve(requests.size());
  for (const Request& r : requests) {
    STOWAGE_ASSERT(r.content < 0);
    list.push_back({r, -1, 0});
  }
  return listed_workload(std::move(list));
}
}  // namespace stowage
