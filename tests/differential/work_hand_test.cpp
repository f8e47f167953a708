// Memory work as the oracle's managers list it, against sums done by hand. Blocks of 4 tokens; vattention: 2 pages
// each.
#include <tuple>

#include "tests/differential/hand.hpp"
#include "tests/oracle/memory.hpp"

namespace stowage {
namespace {
using namespace hand;
using namespace oracle;
using Kind = Work::Kind;
using Due = Work::Due;

struct Listed {
  std::unique_ptr<Memory> memory;
  WorkList work;
  explicit Listed(const RunConfig& c) : memory(make_memory(c)) {}
  bool admit(Sequence& s, std::int64_t n, std::size_t others = 0) {
    if (!memory->admit(s, 0, n, others, work)) return false;
    s.scheduled = n;
    return true;
  }
  bool extend(Sequence& s, std::int64_t m) {
    if (!memory->extend(s, m, work)) return false;
    s.scheduled = m;
    return true;
  }
  /// What was listed since the last call.
  std::vector<std::tuple<Kind, std::int64_t, Due>> take() {
    std::vector<std::tuple<Kind, std::int64_t, Due>> out;
    for (const Work& w : std::exchange(work, {})) out.emplace_back(w.kind, w.count, w.due);
    return out;
  }
};
using Works = std::vector<std::tuple<Kind, std::int64_t, Due>>;
Sequence request(std::int64_t prompt, std::int64_t outputs) {
  Sequence s;
  s.prompt = prompt;
  s.outputs = outputs;
  return s;
}

// S6.1, S6.3, S6.7, S6.9
TEST(WorkByHand, PlacesTakeNoDriver) {
  Listed blocks(tiny(12, paged()));
  Sequence a = request(5, 9), b = request(9, 1);
  EXPECT_TRUE(blocks.admit(a, 5));
  EXPECT_EQ(blocks.take(), (Works{{Kind::place, 2, Due::boundary}}));
  EXPECT_FALSE(blocks.admit(b, 9, 1));  // 3 blocks, one is free
  EXPECT_TRUE(blocks.extend(a, 8));     // in its second block
  EXPECT_EQ(blocks.take(), Works{});
  EXPECT_TRUE(blocks.extend(a, 9));
  EXPECT_EQ(blocks.take(), (Works{{Kind::place, 1, Due::boundary}}));
  EXPECT_FALSE(blocks.extend(a, 13));
  blocks.memory->release(a, blocks.work);
  EXPECT_EQ(blocks.take(), Works{});

  Listed region(tiny(64, reserve("oracle", "buddy", 4)));
  EXPECT_TRUE(region.admit(a, 5));
  EXPECT_TRUE(region.extend(a, 13));
  EXPECT_EQ(region.take(), (Works{{Kind::place, 1, Due::boundary}}));
}

// S6.7, S6.8, S6.9, S9.16, S9.17, S9.18, S9.19, S9.20, S9.25
TEST(WorkByHand, MapsAreDueAtTheBoundaryOrBesideTheStep) {
  for (const bool background : {false, true}) {
    Listed slots(tiny(16, vattention(2, background ? "background" : "sync", "eager", 1)));
    Sequence a = request(8, 4);
    EXPECT_TRUE(slots.admit(a, 8));
    EXPECT_EQ(slots.take(), (Works{{Kind::map, 2 * 2, Due::boundary}}));
    slots.memory->beside({&a}, slots.work);  // want(1) = need(9) = 3
    EXPECT_EQ(slots.take(), background ? (Works{{Kind::map, 2, Due::beside}}) : Works{});
    EXPECT_TRUE(slots.extend(a, 9));
    EXPECT_EQ(slots.take(), background ? Works{} : (Works{{Kind::map, 2, Due::boundary}}));
    slots.memory->release(a, slots.work);
    EXPECT_EQ(slots.take(), (Works{{Kind::unmap, 3 * 2, background ? Due::beside : Due::boundary}}));
  }
}

// S6.3, S9.11, S9.12, S9.13
TEST(WorkByHand, ReclaimedBlocksAreUnmappedAtTheBoundary) {
  auto c = tiny(12, vattention(2, "sync"));
  c.scheduler.max_batch = 3;
  Listed slots(c);
  Sequence a = request(4, 1), b = request(4, 1), d = request(12, 1);
  EXPECT_TRUE(slots.admit(a, 4));
  EXPECT_TRUE(slots.admit(b, 4, 1));
  EXPECT_EQ(slots.take(), (Works{{Kind::map, 2, Due::boundary}, {Kind::map, 2, Due::boundary}}));
  EXPECT_FALSE(slots.admit(d, 12, 2));  // slot 2 is empty; one block is free, none can be reclaimed
  slots.memory->release(b, slots.work);
  EXPECT_EQ(slots.take(), Works{});
  slots.memory->release(a, slots.work);
  EXPECT_TRUE(slots.admit(d, 12));  // slot 0 has one of 3 blocks, one is free, slot 1 gives one
  EXPECT_EQ(slots.take(), (Works{{Kind::unmap, 2, Due::boundary}, {Kind::map, 4, Due::boundary}}));
}
}  // namespace
}  // namespace stowage
