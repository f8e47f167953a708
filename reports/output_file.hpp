#pragma once
// Files as they are written: through a buffer, and whole files that appear at once.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <streambuf>
#include <string>
#include <string_view>

#include "reports/workshop.hpp"

namespace stowage {

/// A file being written through a 1 MiB buffer. Throws EnvironmentError with the system's reason ("No space left on
/// device").
class OutputFile {
 public:
  /// `shown` is its name in messages. `continues`: a later part of a file, joined to the earlier ones; it gets no
  /// header.
  OutputFile(const std::filesystem::path& path, std::filesystem::path shown, bool continues = false);
  explicit OutputFile(const std::filesystem::path& path) : OutputFile(path, path) {}
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view text);
  /// Adds what another file holds.
  void append(const std::filesystem::path& from);
  /// Room for `size` bytes (<= 64 KiB) in the buffer; what was used is then given to advance().
  [[nodiscard]] char* reserve(std::size_t size) {
    if (capacity - used_ < size) flush();
    return buffer_.get() + used_;
  }
  void advance(const char* end) { used_ = static_cast<std::size_t>(end - buffer_.get()); }
  /// Nothing written yet, and nothing stands before it.
  [[nodiscard]] bool wants_header() const { return !continues_ && flushed_ + used_ == 0; }
  void close();

 private:
  static constexpr std::size_t capacity = 1U << 20;
  void flush();

  std::filesystem::path shown_;
  bool continues_;
  int fd_ = -1;
  std::unique_ptr<char[]> buffer_;
  std::size_t used_ = 0;
  std::uint64_t flushed_ = 0;
};

/// One file that is the old one until commit(), and then the new one; without a commit nothing has happened.
/// A name that stands for no regular file (/dev/stdout, a pipe) is written to directly.
class WholeFile {
 public:
  /// Throws InputError when the file is there and `force` is not set, is a folder, or another command writes it;
  /// EnvironmentError when it cannot be written. Call before the work, so that a refusal comes at once.
  WholeFile(const std::string& path, bool force);

  [[nodiscard]] OutputFile& file() { return *file_; }
  /// Closes the file and puts it in its place. Throws EnvironmentError: then the old one is still there.
  void commit();

 private:
  std::filesystem::path shown_, target_;
  std::optional<Workshop> workshop_;
  std::optional<OutputFile> file_;
};

/// Null without a name: what was asked for goes to standard output alone.
[[nodiscard]] std::unique_ptr<WholeFile> open_output(const std::string& path, bool force);

/// Writes an OutputFile from a std::ostream; set its exceptions(std::ios::badbit) to be told the system's reason.
class OutputStream : public std::streambuf {
 public:
  explicit OutputStream(OutputFile& file) : file_(file) {}

 protected:
  int_type overflow(int_type c) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;

 private:
  OutputFile& file_;
};
}  // namespace stowage
