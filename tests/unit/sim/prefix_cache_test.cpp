// The prefix cache against a plain pool that keeps every block, its content and the whole free list one by one.
#include "sim/kv/prefix_cache.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "base/rng.hpp"

namespace stowage {
namespace {

/// A request's content, block by block: what makes a path equal to another is the whole list up to there.
struct Text {
  std::vector<std::uint64_t> units;
  std::vector<BlockContent::Turn> turns;
  std::int64_t per_unit = 1;
  [[nodiscard]] BlockContent view() const { return {units, std::ssize(units) * per_unit, turns}; }
  using Label = std::tuple<int, std::uint64_t, std::int64_t>;
  [[nodiscard]] Label label(std::int64_t block) const {
    if (block < std::ssize(units) * per_unit)
      return {0, units[static_cast<std::size_t>(block / per_unit)], block % per_unit};
    std::size_t t = 0;
    while (t + 1 < turns.size() && turns[t].end <= block) ++t;
    return {1, turns[t].owner, 0};
  }
  [[nodiscard]] std::vector<Label> path(std::int64_t blocks) const {
    std::vector<Label> out;
    for (std::int64_t b = 0; b < blocks; ++b) out.push_back(label(b));
    return out;
  }
};

class PlainPool {
 public:
  using Id = std::vector<Text::Label>;
  struct Holder {
    std::vector<int> table;
    std::int64_t named = 0;
  };
  PlainPool(int blocks, FreeOrder order) : order_(order), holders_(blocks, 0), id_(blocks) {
    for (int b = 0; b < blocks; ++b) free_.push_back(b);
  }
  std::vector<int> find(const Text& text, std::int64_t limit) const {
    std::vector<int> out;
    for (std::int64_t b = 0; b < limit; ++b) {
      const auto it = map_.find(text.path(b + 1));
      if (it == map_.end() || it->second.empty()) break;
      out.push_back(it->second.front());
    }
    return out;
  }
  void hold(Holder& h, const Text& text, std::int64_t blocks) {
    h.table = find(text, blocks);
    h.named = blocks;
    for (const int b : h.table)
      if (holders_[b]++ == 0) free_.remove(b);
  }
  void take(Holder& h, std::int64_t n) {
    for (; n > 0; --n) {
      const int b = free_.front();
      free_.pop_front();
      if (id_[b]) std::erase(map_[*id_[b]], b);
      id_[b].reset();
      holders_[b] = 1;
      h.table.push_back(b);
    }
  }
  void name(Holder& h, const Text& text, std::int64_t blocks) {
    for (; h.named < blocks; ++h.named) {
      const int b = h.table[static_cast<std::size_t>(h.named)];
      id_[b] = text.path(h.named + 1);
      map_[*id_[b]].push_back(b);
    }
  }
  void release(Holder& h) {
    std::vector<int> unnamed;
    for (auto b = h.table.rbegin(); b != h.table.rend(); ++b) {
      if (--holders_[*b] > 0) continue;
      if (id_[*b] || order_ == FreeOrder::as_freed) free_.push_back(*b);
      else unnamed.push_back(*b);
    }
    free_.insert(free_.begin(), unnamed.begin(), unnamed.end());
    h = {};
  }
  std::int64_t free() const { return std::ssize(free_); }
  std::int64_t idle() const {
    return std::count_if(free_.begin(), free_.end(), [&](int b) { return id_[b].has_value(); });
  }
  std::int64_t surplus() const {
    std::int64_t sum = 0;
    for (const int n : holders_) sum += std::max(0, n - 1);
    return sum;
  }
  std::int64_t idle_of(const std::vector<int>& blocks) const {
    return std::count_if(blocks.begin(), blocks.end(), [&](int b) { return holders_[b] == 0; });
  }

 private:
  FreeOrder order_;
  std::list<int> free_;
  std::vector<int> holders_;
  std::vector<std::optional<Id>> id_;
  std::map<Id, std::vector<int>> map_;
};

struct Both {
  Text text;
  PrefixCache::Holder fast;
  PlainPool::Holder plain;
};

/// Leading units of one of a few trunks, now and then one that parts from it; then perhaps an earlier request's text.
Text random_text(Rng& rng, std::int64_t per_unit, std::uint64_t self, const std::vector<Text>& earlier) {
  Text out;
  out.per_unit = per_unit;
  if (!earlier.empty() && rng.below(3) == 0) {
    out = earlier[rng.below(earlier.size())];
    const std::int64_t shared = std::ssize(out.units) * per_unit;
    out.turns.back().end = shared + 1 + static_cast<std::int64_t>(rng.below(6)) +
                           (out.turns.size() > 1 ? out.turns[out.turns.size() - 2].end - shared : 0);
  } else {
    const std::uint64_t trunk = rng.below(3);
    for (std::uint64_t u = 0, n = rng.below(7); u < n; ++u)
      out.units.push_back(rng.below(8) == 0 ? 100 + rng.below(3) : trunk * 10 + u % 4);
  }
  out.turns.push_back({self, 0});
  return out;
}

void compare_on_random_calls(std::uint64_t seed, FreeOrder order) {
  Rng rng(seed, "prefix");
  const auto blocks = static_cast<std::int64_t>(4 + rng.below(40));
  const auto per_unit = static_cast<std::int64_t>(1 + rng.below(3));
  PrefixCache fast(blocks, per_unit, order);
  PlainPool plain(static_cast<int>(blocks), order);
  std::vector<Text> texts;
  std::vector<Both> held;
  for (int step = 0; step < 300; ++step) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " step " << step);
    const std::uint64_t what = rng.below(10);
    if (what < 4) {
      Both b;
      // Preempted requests come again with the text they had.
      b.text = !texts.empty() && rng.below(4) == 0 ? texts[rng.below(texts.size())]
                                                   : random_text(rng, per_unit, 1000 + texts.size(), texts);
      texts.push_back(b.text);
      const auto want = static_cast<std::int64_t>(1 + rng.below(20));
      const auto hit = fast.find(b.text.view(), want - 1);
      const auto found = plain.find(b.text, want - 1);
      ASSERT_EQ(hit.blocks, std::ssize(found));
      ASSERT_EQ(hit.idle, plain.idle_of(found));
      if (want - hit.blocks + hit.idle > fast.free()) continue;
      fast.hold(b.fast, b.text.view(), hit.blocks);
      plain.hold(b.plain, b.text, hit.blocks);
      fast.take(want - hit.blocks);
      fast.adopt(b.fast, want - hit.blocks);
      plain.take(b.plain, want - hit.blocks);
      held.push_back(std::move(b));
    } else if (!held.empty() && what < 8) {
      Both& b = held[rng.below(held.size())];
      const auto more = static_cast<std::int64_t>(rng.below(3));
      if (more <= fast.free()) {
        fast.take(more);
        fast.adopt(b.fast, more);
        plain.take(b.plain, more);
      }
      const std::int64_t upto = b.fast.named + static_cast<std::int64_t>(rng.below(
                                                   static_cast<std::uint64_t>(b.fast.blocks - b.fast.named) + 1));
      fast.name(b.fast, b.text.view(), upto);
      plain.name(b.plain, b.text, upto);
    } else if (!held.empty()) {
      const auto i = static_cast<std::ptrdiff_t>(rng.below(held.size()));
      fast.release(held[static_cast<std::size_t>(i)].fast);
      plain.release(held[static_cast<std::size_t>(i)].plain);
      held.erase(held.begin() + i);
    }
    ASSERT_EQ(fast.free(), plain.free());
    ASSERT_EQ(fast.idle(), plain.idle());
    ASSERT_EQ(fast.surplus(), plain.surplus());
    ASSERT_LE(fast.runs(), static_cast<std::size_t>(blocks) + 2);
    ASSERT_LE(fast.nodes(), static_cast<std::size_t>(2 * blocks) + 2);
  }
  for (Both& b : held) fast.release(b.fast);
  EXPECT_EQ(fast.free(), blocks);
}

TEST(PrefixCache, EqualsAPlainPoolUnderRandomCalls) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    compare_on_random_calls(seed, seed % 2 == 0 ? FreeOrder::unnamed_first : FreeOrder::as_freed);
    if (testing::Test::HasFatalFailure()) return;
  }
}
}  // namespace
}  // namespace stowage
