#pragma once
// A file mapped into memory that may be cut short while it is read. Touching a page that is gone would end the program
// (SIGBUS); here it reads as zeros, and lost() tells.
#include <cstddef>

namespace stowage {

struct GuardedRange;  // what the signal handler knows of a map

class GuardedMap {
 public:
  GuardedMap() = default;
  ~GuardedMap();
  GuardedMap(const GuardedMap&) = delete;
  GuardedMap& operator=(const GuardedMap&) = delete;

  /// Maps `size` bytes of an open file. False when that cannot be: read it instead.
  [[nodiscard]] bool map(int fd, std::size_t size);
  void unmap();
  [[nodiscard]] bool mapped() const { return range_ != nullptr; }
  [[nodiscard]] const char* data() const;
  /// Was a page touched that could not be read? From then on what is read is not the file's.
  [[nodiscard]] bool lost() const;

 private:
  GuardedRange* range_ = nullptr;
};
}  // namespace stowage
