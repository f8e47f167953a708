// What prompts have in common in lists and in drawn requests.
#include <random>
#include <set>

#include "helpers.hpp"
#include "tests/unit/traces/content_text.hpp"

namespace stowage::test {
namespace {

ListedRequest request(std::int64_t at_ns, std::int32_t prompt, std::int32_t output, std::int32_t content = -1) {
  ListedRequest out;
  out.request = {at_ns, prompt, output};
  out.request.content = content;
  return out;
}
ListedRequest turn(std::int32_t session, std::int64_t at_ns, std::int32_t prompt, std::int32_t output,
                   std::int64_t think_ns = 0) {
  ListedRequest out = request(at_ns, prompt, output);
  out.session = session;
  out.think_ns = think_ns;
  return out;
}

/// "id@arrival ..." of what becomes ready.
std::string ready_after(RequestStream& stream, const Request& r, std::int64_t at_ns) {
  std::vector<Request> ready;
  stream.ended(r, at_ns, ready);
  std::string out;
  for (const Request& next : ready) out += std::to_string(next.id) + "@" + std::to_string(next.arrival_ns) + " ";
  return out;
}

TEST(ListedContent, HashesOfALastPartArePrivate) {
  // 40 tokens in hashes of 16: two whole ones and a part.
  const auto workload =
      listed_workload({request(0, 40, 4, 0), request(0, 48, 4, 1), request(0, 9, 4)}, {16, {{7, 8, 9}, {7, 8, 9}}});
  EXPECT_EQ(contents_of(*workload), "16: 7 8 | 16: 7 8 9 | - | ");
  EXPECT_FALSE(workload->open()->has_followers());
}

TEST(ListedContent, ATurnBeginsWithTheOnesBeforeIt) {
  // 0: 40 tokens, hashes [7 8], answers 4. 2: 44 + 16 of its own = 60, answers 5. 3: 65 + 0. Request 1 is another's.
  ListedRequest first = turn(0, 0, 40, 4);
  first.request.content = 0;
  const auto workload = listed_workload({first, request(5, 10, 1), turn(0, 10, 60, 5), turn(0, 20, 65, 1)},
                                        {16, {{7, 8}}});
  const auto stream = workload->open();
  ASSERT_TRUE(stream->has_followers());
  std::vector<Request> batch(9);
  ASSERT_EQ(stream->read(batch), 2U);  // the later turns wait
  EXPECT_EQ(batch[0].id, 0U);
  EXPECT_EQ(batch[1].id, 1U);
  EXPECT_EQ(stream->read(batch), 0U);

  std::vector<Request> ready;
  stream->ended(batch[1], 7, ready);
  EXPECT_TRUE(ready.empty());
  stream->ended(batch[0], 8, ready);
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_EQ(ready[0].id, 2U);
  EXPECT_EQ(ready[0].arrival_ns, 10);  // its own time is later than 8
  EXPECT_EQ(text_of(stream->content(ready[0])), "16: 7 8 + 0<44 | ");
  const Request second = ready[0];
  ready.clear();
  stream->ended(second, 31, ready);
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_EQ(ready[0].arrival_ns, 31);
  EXPECT_EQ(text_of(stream->content(ready[0])), "16: 7 8 + 0<44 + 2<65 | ");
  EXPECT_EQ(ready_after(*stream, ready[0], 99), "");
}

TEST(ListedContent, ALoneTurnIsARequestLikeAnother) {
  const auto workload = listed_workload({turn(0, 0, 40, 4), turn(1, 5, 10, 1)});
  EXPECT_FALSE(workload->open()->has_followers());
  EXPECT_EQ(contents_of(*workload), "0: | 0: | ");
}

TEST(ListedContent, ATurnIsReadyAfterThinking) {
  const auto workload = listed_workload({turn(0, 3, 10, 1), turn(0, 0, 11, 1, 5), turn(0, 100, 12, 1, 5)});
  const auto stream = workload->open();
  std::vector<Request> batch(9);
  ASSERT_EQ(stream->read(batch), 1U);
  EXPECT_EQ(ready_after(*stream, batch[0], 20), "1@25 ");  // 20 + 5
  batch[0].id = 1;
  EXPECT_EQ(ready_after(*stream, batch[0], 95), "2@100 ");  // 95 + 5
  EXPECT_EQ(ready_after(*stream, batch[0], 94), "2@100 ");
  EXPECT_EQ(ready_after(*stream, batch[0], 96), "2@101 ");
}

TEST(ListedContent, IdsCountFromTheEarliestArrivals) {
  // Session 0: 0, then 0 + 50. Session 1: 10, then max(20, 10 + 5). A turn's number is behind that of the turn before.
  const auto workload = listed_workload(
      {turn(0, 0, 10, 1), turn(0, 0, 11, 1, 50), turn(1, 10, 10, 1), turn(1, 20, 11, 1, 5), request(20, 1, 1)});
  const auto stream = workload->open();
  std::vector<Request> batch(9);
  ASSERT_EQ(stream->read(batch), 3U);
  EXPECT_EQ(batch[0].id, 0U);
  EXPECT_EQ(batch[1].id, 1U);
  EXPECT_EQ(batch[2].id, 3U);  // stands behind the turn of 20
  EXPECT_EQ(ready_after(*stream, batch[0], 1), "4@51 ");
  EXPECT_EQ(ready_after(*stream, batch[1], 11), "2@20 ");
}

/// Random sessions: every request comes exactly once, none before the turn before it has ended and been thought over,
/// and each prompt goes through all earlier turns in their order.
TEST(ListedContent, RandomSessions) {
  std::mt19937_64 random(18);
  const auto draw = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n)); };
  for (int round = 0; round < 300; ++round) {
    std::vector<ListedRequest> list;
    const auto sessions = static_cast<std::int32_t>(1 + draw(5));
    std::vector<std::int64_t> length(static_cast<std::size_t>(sessions), 0);
    for (std::int64_t n = 1 + draw(30); n > 0; --n) {
      const auto session = static_cast<std::int32_t>(draw(sessions + 1)) - 1;
      const auto own = static_cast<std::int32_t>(1 + draw(20)), output = static_cast<std::int32_t>(1 + draw(9));
      auto before = std::int32_t{0};
      if (session >= 0) before = static_cast<std::int32_t>(length[static_cast<std::size_t>(session)]);
      list.push_back(turn(session, draw(50), before + own, output, draw(30)));
      if (session >= 0) length[static_cast<std::size_t>(session)] = before + own + output;
    }
    const auto stream = listed_workload(list)->open();
    std::vector<Request> open(list.size() + 1), ready;
    open.resize(stream->read(open));
    std::set<std::uint64_t> seen;
    std::vector<std::int64_t> ends(list.size(), -1);
    std::vector<std::int64_t> tokens(list.size(), 0);
    while (!open.empty()) {
      const auto at = static_cast<std::size_t>(draw(static_cast<std::int64_t>(open.size())));
      const Request r = open[at];
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
      ASSERT_TRUE(seen.insert(r.id).second);
      std::int64_t before = 0;
      const PromptContent content = stream->content(r);
      for (const auto& [id, end] : content.turns) {
        ASSERT_LT(id, r.id);
        ASSERT_GE(ends[id], 0);
        ASSERT_GT(end, before);
        ASSERT_EQ(end, tokens[id]);
        before = end;
      }
      ASSERT_GE(r.prompt_tokens, before);
      ASSERT_TRUE(content.turns.empty() || r.arrival_ns >= ends[content.turns.back().request]);
      ends[r.id] = r.arrival_ns + draw(40);
      tokens[r.id] = r.prompt_tokens + r.output_tokens;
      ready.clear();
      stream->ended(r, ends[r.id], ready);
      for (const Request& next : ready) {
        ASSERT_GE(next.arrival_ns, ends[r.id]);
        ASSERT_EQ(stream->content(next).turns.back().request, r.id);
        open.push_back(next);
      }
    }
    EXPECT_EQ(seen.size(), list.size());
  }
}

/// Ten thousand requests; counts which of them are dropped.
class Counted final : public Workload {
 public:
  explicit Counted(std::uint64_t& alive) : alive_(alive) {}
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override {
    struct Stream final : RequestStream {
      explicit Stream(std::uint64_t& count) : alive(count) {}
      std::size_t read(std::span<Request> out) override {
        std::size_t n = 0;
        for (; n < out.size() && next < 10'000; ++n) out[n] = {0, 100, 1, next++, 0, 1};
        alive += n;
        most = std::max(most, alive);
        EXPECT_LE(most, 5000U);
        return n;
      }
      void drop(const Request&) override { --alive; }
      std::uint64_t& alive;
      std::uint64_t next = 0, most = 0;
    };
    return std::make_unique<Stream>(alive_);
  }

 private:
  std::uint64_t& alive_;
};

TEST(Content, ReadersLetItGo) {  // else memory grows with the rows of a long trace
  std::uint64_t alive = 0;
  const Counted workload(alive);
  std::ostringstream out;
  write_canonical(workload, out);
  EXPECT_EQ(alive, 0U);
  (void)trace_info(workload);
  EXPECT_EQ(alive, 0U);
}

SyntheticSpec drawn(std::int32_t prefix, std::int32_t groups) {
  SyntheticSpec spec;
  spec.count = 3000;
  spec.prompt.value = 100;
  spec.output.value = 10;
  spec.prefix_tokens = prefix;
  spec.prefix_groups = groups;
  return spec;
}

TEST(SyntheticPrefix, StandsInFrontOfEveryPrompt) {
  // 40 tokens: two whole blocks of 16, which a group has in common.
  const auto workload = synthetic_workload(drawn(40, 3), 5);
  const auto stream = workload->open();
  std::vector<Request> batch(3000);
  ASSERT_EQ(stream->read(batch), 3000U);
  std::vector<int> of_group(3, 0);
  for (const Request& r : batch) {
    ASSERT_EQ(r.prompt_tokens, 140);
    ASSERT_TRUE(r.content >= 0 && r.content < 3);
    ++of_group[static_cast<std::size_t>(r.content)];
    const PromptContent content = stream->content(r);
    ASSERT_EQ(content.hash_tokens, 16);
    ASSERT_EQ(content.hashes.size(), 2U);
    ASSERT_EQ(content.salt, static_cast<std::uint64_t>(r.content));
  }
  for (const int n : of_group) EXPECT_NEAR(n, 1000, 100);  // a standard deviation is 26
  // All but the first of each group find 32 of 140 tokens.
  EXPECT_DOUBLE_EQ(trace_info(*workload).prefix_hit.value_or(-1), 2997.0 * 32 / (3000.0 * 140));
}

TEST(SyntheticPrefix, LeavesTheRestAsItWas) {
  const auto with = read_all(*synthetic_workload(drawn(40, 3), 5));
  const auto without = read_all(*synthetic_workload(drawn(0, 1), 5));
  ASSERT_EQ(with.size(), without.size());
  for (std::size_t i = 0; i < with.size(); ++i) {
    EXPECT_EQ(with[i].arrival_ns, without[i].arrival_ns);
    EXPECT_EQ(with[i].prompt_tokens, without[i].prompt_tokens + 40);
    EXPECT_EQ(without[i].content, -1);
  }
}
}  // namespace
}  // namespace stowage::test
