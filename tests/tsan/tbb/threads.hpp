#pragma once
// What Stowage uses of oneTBB, made of std::thread, for ./dev tsan alone. The library that is installed was not built
// for the thread sanitizer: it hands work over through atomics that the sanitizer cannot see, so that every task's data
// looks raced over. Suppressing those reports would suppress our own races with them, for all run inside its calls.
#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace tbb {
namespace info {
/// At least four, so that threads meet on a small machine too.
inline int default_concurrency() { return std::max(4, static_cast<int>(std::thread::hardware_concurrency())); }
}  // namespace info

namespace detail {
inline thread_local int arena_threads = 0;  // 0: outside of an arena
}

class task_arena {
 public:
  explicit task_arena(int threads) : threads_(threads) {}
  template <class Function>
  void execute(const Function& function) {
    const int before = std::exchange(detail::arena_threads, threads_);
    try {
      function();
    } catch (...) {
      detail::arena_threads = before;
      throw;
    }
    detail::arena_threads = before;
  }

 private:
  int threads_;
};

struct simple_partitioner {};

template <class Index>
class blocked_range {
 public:
  blocked_range(Index begin, Index end, Index grain = 1) : begin_(begin), end_(end), grain_(grain) {}
  [[nodiscard]] Index begin() const { return begin_; }
  [[nodiscard]] Index end() const { return end_; }
  [[nodiscard]] Index grainsize() const { return grain_; }

 private:
  Index begin_, end_, grain_;
};

/// Every index once, on as many threads as the arena has; after an exception no further one begins.
template <class Index, class Function>
void parallel_for(Index begin, Index end, const Function& function, simple_partitioner = {}) {
  std::atomic<Index> next{begin};
  std::exception_ptr failed;
  std::mutex failing;
  const auto work = [&] {
    for (Index i; (i = next.fetch_add(1)) < end;) try {
        function(i);
      } catch (...) {
        const std::lock_guard lock(failing);
        if (!failed) failed = std::current_exception();
        next = end;
      }
  };
  const int threads = detail::arena_threads > 0 ? detail::arena_threads : info::default_concurrency();
  std::vector<std::thread> others;
  for (int t = 1; t < threads && begin + static_cast<Index>(t) < end; ++t) others.emplace_back(work);
  work();
  for (std::thread& t : others) t.join();
  if (failed) std::rethrow_exception(failed);
}

template <class Index, class Function>
void parallel_for(const blocked_range<Index>& range, const Function& function) {
  const Index grain = std::max<Index>(1, range.grainsize());
  parallel_for(Index{0}, (range.end() - range.begin() + grain - 1) / grain, [&](Index i) {
    const Index from = range.begin() + i * grain;
    function(blocked_range<Index>(from, std::min(range.end(), from + grain), grain));
  });
}
}  // namespace tbb
