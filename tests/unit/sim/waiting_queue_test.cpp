// The queue of those who wait against a plain list, under random calls.
#include "sim/sched/waiting_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/rng.hpp"

namespace stowage {
namespace {
TEST(WaitingQueue, IsAListWhereverSomebodyJoinsOrLeaves) {
  Rng rng(7, "waiting");
  WaitingQueue queue;
  std::deque<std::pair<std::uint64_t, Sid>> plain;  // id, and the seat of a preempted one
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
      plain.emplace_back(next++, no_sid);
    } else if (dice < 7) {
      queue.push_front(r, seat);
      plain.emplace_front(next++, seat++);
    } else if (dice < 9 && !plain.empty()) {
      queue.pop_front();
      plain.pop_front();
    } else {  // a preempted one stops: any of the first ones, as they stand near the head
      const auto end = plain.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(plain.size(), 9));
      std::vector<Sid> preempted;
      for (auto it = plain.begin(); it != end; ++it)
        if (it->second != no_sid) preempted.push_back(it->second);
      if (!preempted.empty()) {
        const Sid gone = preempted[rng.below(preempted.size())];
        queue.remove(gone);
        plain.erase(std::find_if(plain.begin(), plain.end(), [&](const auto& e) { return e.second == gone; }));
      }
    }
    longest = std::max(longest, plain.size());
    ASSERT_EQ(queue.size(), std::ssize(plain)) << step;
    ASSERT_EQ(queue.empty(), plain.empty());
    if (plain.empty()) continue;
    ASSERT_EQ(queue.front().request.id, plain.front().first) << step;
    ASSERT_EQ(queue.front().preempted, plain.front().second) << step;
  }
  EXPECT_GT(longest, 2000U) << "it never grew beyond its first room";
  while (!plain.empty()) {  // what was moved stands in order to the last
    ASSERT_EQ(queue.front().request.id, plain.front().first);
    queue.pop_front();
    plain.pop_front();
  }
  EXPECT_TRUE(queue.empty());
}
}  // namespace
}  // namespace stowage
