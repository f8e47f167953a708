// The queue of those who wait against a plain list, under random calls.
#include "sim/sched/waiting_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/rng.hpp"

namespace stowage {
namespace {
/// The id of the first, which a preempted one has in the table: here 1,000,000 more than its seat.
std::uint64_t first(const WaitingQueue& queue) {
  const Sid seat = queue.first_preempted();
  return seat == no_sid ? queue.first_fresh().id : 1'000'000U + static_cast<std::uint64_t>(seat);
}

TEST(WaitingQueue, IsAListWhereverSomebodyJoinsOrLeaves) {
  Rng rng(7, "waiting");
  WaitingQueue queue;
  std::deque<std::uint64_t> plain;
  std::uint64_t next = 0;
  Sid seat = 0;
  std::size_t longest = 0;
  for (int step = 0; step < 60'000; ++step) {
    const bool grows = step % 20'000 < 12'000;
    const auto dice = rng.below(10);
    Request r;
    r.id = next;
    if (dice < (grows ? 6U : 3U)) {
      queue.push_back(r);
      plain.push_back(next++);
    } else if (dice < 7) {
      queue.push_front(seat);
      plain.push_front(1'000'000U + static_cast<std::uint64_t>(seat++));
    } else if (dice < 9 && !plain.empty()) {
      queue.pop_front();
      plain.pop_front();
    } else {  // a preempted one stops
      const auto preempted = std::ranges::count_if(plain, [](std::uint64_t id) { return id >= 1'000'000U; });
      if (preempted > 0) {
        const auto gone = plain.begin() + static_cast<std::ptrdiff_t>(rng.below(static_cast<std::uint64_t>(preempted)));
        queue.remove(static_cast<Sid>(*gone - 1'000'000U));
        plain.erase(gone);
      }
    }
    longest = std::max(longest, plain.size());
    ASSERT_EQ(queue.size(), std::ssize(plain)) << step;
    ASSERT_EQ(queue.empty(), plain.empty());
    if (!plain.empty()) {
      ASSERT_EQ(first(queue), plain.front()) << step;
    }
  }
  EXPECT_GT(longest, 2000U) << "it never grew beyond its first room";
  while (!plain.empty()) {  // what was moved stands in order to the last
    ASSERT_EQ(first(queue), plain.front());
    queue.pop_front();
    plain.pop_front();
  }
  EXPECT_TRUE(queue.empty());
}
}  // namespace
}  // namespace stowage
