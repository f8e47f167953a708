#include "reports/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace stowage {
namespace fs = std::filesystem;

OutputFile::OutputFile(const fs::path& path, fs::path shown, bool continues)
    : shown_(std::move(shown)), continues_(continues), buffer_(new char[capacity]) {
  const Uninterrupted gate;
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) fail("cannot write", shown_, errno);
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}

void OutputFile::write(std::string_view text) {
  while (!text.empty()) {
    if (used_ == capacity) flush();
    const std::size_t n = std::min(text.size(), capacity - used_);
    std::memcpy(buffer_.get() + used_, text.data(), n);
    used_ += n;
    text.remove_prefix(n);
  }
}

void OutputFile::append(const fs::path& from) {
  const int fd = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("cannot read", from, errno);
  std::vector<char> block(1U << 16);
  for (;;) {
    const ssize_t n = ::read(fd, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int code = errno;
      ::close(fd);
      if (n < 0) fail("cannot read", from, code);
      return;
    }
    write({block.data(), static_cast<std::size_t>(n)});
  }
}

void OutputFile::flush() {
  const char* at = buffer_.get();
  while (used_ > 0) {
    const ssize_t n = ::write(fd_, at, used_);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("cannot write", shown_, n == 0 ? ENOSPC : errno);
    at += n;
    used_ -= static_cast<std::size_t>(n);
    flushed_ += static_cast<std::uint64_t>(n);
  }
}

void OutputFile::close() {
  if (fd_ < 0) return;
  flush();
  const int fd = fd_;
  fd_ = -1;
  if (::close(fd) != 0) fail("cannot write", shown_, errno);  // NFS reports a full disk only here
}

WholeFile::WholeFile(const std::string& path, bool force) : shown_(path) {
  struct stat facts {};
  const bool there = ::stat(path.c_str(), &facts) == 0;
  if (there && S_ISDIR(facts.st_mode)) throw InputError({path, 0, 0}, "this is a folder; name a file in it");
  if (there && !S_ISREG(facts.st_mode)) {
    file_.emplace(path);
    return;
  }
  if (there && !force) throw InputError({path, 0, 0}, "the file is already there; --force replaces it");
  std::error_code error;
  const fs::path given = fs::absolute(path);
  target_ = there ? fs::canonical(given, error) : fs::canonical(given.parent_path(), error) / given.filename();
  if (error) fail("cannot write", path, error.value());
  workshop_.emplace(target_, path);
  const fs::path fresh = workshop_->place() / "new";
  file_.emplace(fresh, shown_);
  if (there && ::chmod(fresh.c_str(), facts.st_mode & 07777U) != 0) fail("cannot write", path, errno);
}

void WholeFile::commit() {
  file_->close();
  if (!workshop_) return;
  const Uninterrupted gate;
  if (::rename((workshop_->place() / "new").c_str(), target_.c_str()) != 0) fail("cannot write", shown_, errno);
  workshop_.reset();
}

std::unique_ptr<WholeFile> open_output(const std::string& path, bool force) {
  return path.empty() ? nullptr : std::make_unique<WholeFile>(path, force);
}

OutputStream::int_type OutputStream::overflow(int_type c) {
  if (c == traits_type::eof()) return traits_type::not_eof(c);
  const char one = traits_type::to_char_type(c);
  file_.write({&one, 1});
  return c;
}

std::streamsize OutputStream::xsputn(const char* text, std::streamsize size) {
  file_.write({text, static_cast<std::size_t>(size)});
  return size;
}
}  // namespace stowage
