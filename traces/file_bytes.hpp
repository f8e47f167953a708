#pragma once
// The bytes of a trace file as one range: a regular file is mapped, gzip is unpacked into memory, and what cannot be
// mapped (a pipe) is read into memory. Not copyable; streams share it through shared_ptr.
#include <cstddef>
#include <string>
#include <string_view>

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

 private:
  void map_or_read(int fd, const std::string& path);
  void own(std::string bytes);

  const char* data_ = nullptr;
  std::size_t size_ = 0;
  bool mapped_ = false;
  std::string owned_;
};
}  // namespace stowage
