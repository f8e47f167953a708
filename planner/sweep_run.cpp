#include "planner/sweep_run.hpp"

#include <tbb/blocked_range.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <vector>

namespace stowage {
namespace {
std::vector<std::uint64_t> left_of(const Sweep& sweep, Shard shard, std::span<const std::uint64_t> done) {
  std::vector<std::uint64_t> out;
  for (std::uint64_t p = shard.index - 1; p < sweep.space().size(); p += shard.count)
    if (!std::binary_search(done.begin(), done.end(), p)) out.push_back(p);
  return out;
}
}  // namespace

std::uint64_t points_left(const Sweep& sweep, Shard shard, std::span<const std::uint64_t> done) {
  return left_of(sweep, shard, done).size();
}

void run_points(const Sweep& sweep, Shard shard, std::span<const std::uint64_t> done, int jobs,
                const std::function<void(std::uint64_t, std::string)>& sink) {
  const auto points = left_of(sweep, shard, done);
  const int cores = tbb::info::default_concurrency();
  tbb::task_arena arena(jobs > 0 ? std::min(jobs, cores) : cores);
  arena.execute([&] {
    tbb::parallel_for(tbb::blocked_range<std::size_t>(0, points.size(), 1), [&](const auto& range) {
      for (std::size_t i = range.begin(); i < range.end(); ++i) {
        sink(points[i], sweep.record(points[i]));
      }
    });
  });
}
}  // namespace stowage
