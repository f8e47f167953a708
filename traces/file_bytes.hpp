#pragma once
// The bytes of a trace file as one range: a regular file is mapped, gzip is unpacked into memory, and what cannot be
// mapped (a pipe) is read into memory. Not copyable; streams share it through shared_ptr.
// A file may be cut short or written over while it is read: ask check_whole() when some of it was, check_unchanged()
// when all of it was.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "traces/guarded_map.hpp"

namespace stowage {

class FileBytes {
 public:
  /// Throws InputError when the file is missing, a directory, unreadable or damaged gzip.
  explicit FileBytes(const std::string& path);
  ~FileBytes();
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  [[nodiscard]] std::string_view view() const { return {data_, size_}; }
  /// Bytes [begin, end) were read: lets the system take their pages back, so that resident memory does not grow with
  /// the file. They can still be read again (from the page cache). Any thread may call it at any time.
  void release(std::size_t begin, std::size_t end) const;
  /// Throws EnvironmentError when bytes were read that are no more there: they were zeros. Costs nothing.
  void check_whole() const;
  /// Also when the file has been written to since it was opened.
  void check_unchanged() const;

 private:
  void map_or_read();
  void own(std::string bytes);

  std::string path_;
  int fd_ = -1;  // open as long as the file is mapped
  std::int64_t written_ns_ = 0;
  const char* data_ = nullptr;
  std::size_t size_ = 0;
  GuardedMap map_;
  std::string owned_;
};
}  // namespace stowage
