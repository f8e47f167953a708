#pragma once
// One worker thread that does one job at a time beside whoever gave it. No CUDA in here.
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace stowage::replay {

class Mapper {
 public:
  explicit Mapper(std::function<void()> at_start = {}) : at_start_(std::move(at_start)), thread_([this] { work(); }) {}
  Mapper(const Mapper&) = delete;
  Mapper& operator=(const Mapper&) = delete;
  /// Lets a job under way end.
  ~Mapper() {
    {
      const std::lock_guard lock(mutex_);
      quit_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  /// The last job must have been waited for.
  void start(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      job_ = std::move(job);
      busy_ = true;
    }
    changed_.notify_all();
  }
  /// Returns once the job is done; throws what it threw.
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !busy_; });
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    bool begun = false;
    for (;;) {
      changed_.wait(lock, [&] { return busy_ || quit_; });
      if (!busy_) return;
      lock.unlock();
      std::exception_ptr error;
      try {
        if (!begun && at_start_) at_start_();
        begun = true;
        job_();
      } catch (...) { error = std::current_exception(); }
      lock.lock();
      error_ = error;
      busy_ = false;
      changed_.notify_all();
    }
  }

  std::function<void()> at_start_, job_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool busy_ = false, quit_ = false;
  std::exception_ptr error_;
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace stowage::replay
