#pragma once
// One line on stderr that says how far each run is: only on a terminal, about ten times a second, gone at the end.
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace stowage::cli {

class Progress {
 public:
  /// Silent when `quiet` or when stderr is no terminal.
  Progress(std::vector<std::string> names, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// From any thread.
  void update(std::size_t run, std::int64_t simulated_ns, std::uint64_t completed);

 private:
  void draw() const;

  struct Run {
    std::string name;
    std::int64_t simulated_ns = 0;
    std::uint64_t completed = 0;
  };
  std::vector<Run> runs_;
  bool shown_ = false, enabled_ = false;
  std::chrono::steady_clock::time_point last_;
  std::mutex mutex_;
};

/// "1,200 of 100,000 points", in the same way.
class PointProgress {
 public:
  PointProgress(std::uint64_t points, bool quiet);
  ~PointProgress();
  PointProgress(const PointProgress&) = delete;
  PointProgress& operator=(const PointProgress&) = delete;
  /// From any thread.
  void one_done();

 private:
  std::uint64_t points_, done_ = 0;
  bool enabled_, shown_ = false;
  std::chrono::steady_clock::time_point last_;
  std::mutex mutex_;
};
}  // namespace stowage::cli
