#pragma once
// Where a result is made before it takes its place: a hidden folder beside the target, on the same file system,
// locked by the command that makes it. The lock ends with its process, so that what a killed command left behind is
// known for what it is: the next command on the same target clears it away.
//
//   .out.stowage/lock     beside the target `out`; out/.stowage where `out` is a mount point or its parent read-only
//   .out.stowage/new      the result in the making
#include <filesystem>
#include <string>

#include "base/clean_up.hpp"

namespace stowage {

class Workshop {
 public:
  /// `target` is absolute, without links; `shown` is its name in messages. Throws InputError when another command is at
  /// work on the same target; EnvironmentError when the folder cannot be made.
  Workshop(const std::filesystem::path& target, const std::string& shown);
  /// What is still in it goes with it.
  ~Workshop();
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;

  [[nodiscard]] const std::filesystem::path& place() const { return place_; }
  [[nodiscard]] bool beside_target() const { return beside_; }

 private:
  void lock(const std::string& shown);
  void clear() const;
  void remove();

  bool beside_;
  std::filesystem::path place_;
  int fd_ = -1;
  bool held_ = false;
  CleanUp clean_up_;
};

/// "cannot write 'x': No space left on device", as an EnvironmentError.
[[noreturn]] void fail(const std::string& what, const std::filesystem::path& path, int code);
}  // namespace stowage
