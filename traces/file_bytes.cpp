#include "traces/file_bytes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/iostreams/device/array.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filtering_streambuf.hpp>
#include <boost/iostreams/read.hpp>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/error.hpp"
#include "base/read_log.hpp"

namespace stowage {
namespace {
constexpr std::size_t unpacked_limit_bytes = std::size_t{4} << 30;  // a small file can unpack to fill any memory

std::int64_t written_ns(const struct stat& status) {
  return status.st_mtim.tv_sec * std::int64_t{1'000'000'000} + status.st_mtim.tv_nsec;
}

std::string unpack(std::string_view packed, const std::string& path) {
  namespace io = boost::iostreams;
  io::filtering_streambuf<io::input> in;
  in.push(io::gzip_decompressor());
  in.push(io::array_source(packed.data(), packed.size()));
  std::string out;
  std::array<char, 1 << 16> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by sgetn
  try {
    while (true) {
      const std::streamsize n = in.sgetn(chunk.data(), chunk.size());
      if (n <= 0) return out;
      out.append(chunk.data(), static_cast<std::size_t>(n));
      if (out.size() > unpacked_limit_bytes) {
        throw InputError({path}, "the gzip file unpacks to more than 4 GiB, which are held in memory; unpack it first");
      }
    }
  } catch (const io::gzip_error&) {
  } catch (const std::ios_base::failure&) {}
  throw InputError({path}, "the gzip file is damaged or cut short; check it with `gzip -t` and fetch it again");
}
}  // namespace

FileBytes::FileBytes(const std::string& path)
    : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  ReadLog::note(path);
  if (fd_ < 0) {
    if (errno == ENOENT) throw InputError({path}, "there is no such trace file; check the path");
    throw InputError({path}, fmt::format("cannot open the trace: {}", std::strerror(errno)));
  }
  try {
    map_or_read();
    if (!view().starts_with("\x1f\x8b")) return;
    std::string unpacked;
    try {
      unpacked = unpack(view(), path);
    } catch (const InputError&) {
      check_unchanged();  // says better what is wrong
      throw;
    }
    check_unchanged();
    map_.unmap();
    own(std::move(unpacked));
  } catch (const std::bad_alloc&) {
    ::close(fd_);
    throw EnvironmentError(fmt::format("{}: error: what it unpacks to, or the pipe gives, does not fit into memory; "
                                       "write it to a file, unpacked",
                                       path));
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

void FileBytes::map_or_read() {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) throw InputError({path_}, fmt::format("cannot read: {}", std::strerror(errno)));
  if (S_ISDIR(status.st_mode)) throw InputError({path_}, "this is a directory; name the trace file in it");
  if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
    throw InputError({path_}, "this is a device, which may have no end; name a file");
  if (S_ISREG(status.st_mode) && status.st_size > 0 && map_.map(fd_, static_cast<std::size_t>(status.st_size))) {
    data_ = map_.data();
    size_ = static_cast<std::size_t>(status.st_size);
    written_ns_ = written_ns(status);
    return;
  }
  std::string bytes;
  std::array<char, 1 << 16> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  while (true) {
    const ssize_t n = ::read(fd_, chunk.data(), chunk.size());
    if (n == 0) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw InputError({path_}, fmt::format("cannot read: {}", std::strerror(errno)));
    bytes.append(chunk.data(), static_cast<std::size_t>(n));
    if (bytes.size() > unpacked_limit_bytes)
      throw InputError({path_}, "the pipe gave more than 4 GiB, which are held in memory; write it to a file first");
  }
  own(std::move(bytes));
}

void FileBytes::own(std::string bytes) {
  owned_ = std::move(bytes);
  data_ = owned_.data();
  size_ = owned_.size();
}

FileBytes::~FileBytes() { ::close(fd_); }

void FileBytes::check_whole() const {
  if (!map_.lost()) return;
  struct stat status {};
  if (::fstat(fd_, &status) == 0 && static_cast<std::size_t>(status.st_size) < size_)
    throw EnvironmentError(fmt::format(
        "{}: error: the file was cut short while it was read: {} of {} bytes are left; run again on a finished file",
        path_, status.st_size, size_));
  throw EnvironmentError(fmt::format("{}: error: a part of the file cannot be read any more; check its disk", path_));
}

void FileBytes::check_unchanged() const {
  check_whole();
  struct stat status {};
  if (!map_.mapped() || ::fstat(fd_, &status) != 0) return;
  if (static_cast<std::size_t>(status.st_size) != size_ || written_ns(status) != written_ns_)
    throw EnvironmentError(
        fmt::format("{}: error: the file changed while it was read; run again on a finished file", path_));
}

void FileBytes::release(std::size_t begin, std::size_t end) const {
  if (!map_.mapped()) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  begin = begin / page * page;  // the page before `begin` is whole now too
  end = end / page * page;
  // A private mapping never written to loses nothing: another reader of these bytes faults them in again.
  if (begin < end) ::madvise(const_cast<char*>(data_) + begin, end - begin, MADV_DONTNEED);
}
}  // namespace stowage
