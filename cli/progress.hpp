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
}  // namespace stowage::cli
