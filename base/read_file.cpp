#include "base/read_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace stowage {
namespace {
constexpr std::size_t piece_bytes = std::size_t{1} << 16;

[[noreturn]] void refuse(const std::string& path, const std::string& why) { throw InputError({path, 0, 0}, why); }

/// "16 MiB", "4 GiB".
std::string in_words(std::size_t bytes) {
  return bytes >> 30 > 0 ? fmt::format("{} GiB", bytes >> 30) : fmt::format("{} MiB", bytes >> 20);
}

int open_to_read(const std::string& path) {
  int fd = -1;
  do fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) refuse(path, fmt::format("cannot be opened: {}; check the path", std::strerror(errno)));
  struct stat info {};
  if (::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
    ::close(fd);
    refuse(path, "is a folder, a file was expected; check the path");
  }
  return fd;
}

/// Adds what one read gives to `out`; false at the end of the file.
bool read_piece(int fd, const std::string& path, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + piece_bytes);
  ssize_t n = 0;
  do n = ::read(fd, out.data() + before, piece_bytes);
  while (n < 0 && errno == EINTR);
  out.resize(before + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  if (n < 0) refuse(path, fmt::format("cannot be read: {}", std::strerror(errno)));
  return n > 0;
}

struct Closed {
  int fd;
  ~Closed() { ::close(fd); }
};
}  // namespace

std::string read_file(const std::string& path, std::size_t bytes_max) {
  const Closed file{open_to_read(path)};
  std::string text;
  while (read_piece(file.fd, path, text))
    if (text.size() > bytes_max)
      refuse(path, fmt::format("holds more than {}, the most that is read of such a file; is this the right one?",
                               in_words(bytes_max)));
  return text;
}

LineReader::LineReader(std::string path) : path_(std::move(path)), fd_(open_to_read(path_)) {}

LineReader::LineReader(std::string_view text, std::string path) : path_(std::move(path)), rest_(text) {}

LineReader::~LineReader() {
  if (fd_ >= 0) ::close(fd_);
}

bool LineReader::fill() {
  if (fd_ < 0) return false;
  buffer_.erase(0, buffer_.size() - rest_.size());
  const std::size_t before = buffer_.size();
  const bool more = read_piece(fd_, path_, buffer_);
  rest_ = buffer_;
  read_ += buffer_.size() - before;
  if (read_ > table_bytes_max)
    refuse(path_, fmt::format("holds more than {}, the most that is read of such a file; is this the right one?",
                              in_words(table_bytes_max)));
  return more;
}

bool LineReader::next(std::string_view& line) {
  std::size_t end = rest_.find('\n');
  while (end == std::string_view::npos) {
    if (rest_.size() > line_bytes_max) break;
    const std::size_t seen = rest_.size();
    if (!fill()) break;
    end = rest_.find('\n', seen);
  }
  if (rest_.empty() && end == std::string_view::npos) return false;
  ++number_;
  line = rest_.substr(0, end);
  if (line.size() > line_bytes_max)
    throw InputError({path_, number_, 0},
                     fmt::format("a line of more than {}; is this the right file?", in_words(line_bytes_max)));
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return true;
}
}  // namespace stowage
