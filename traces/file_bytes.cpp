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
#include <utility>

#include "base/error.hpp"

namespace stowage {
namespace {
constexpr std::size_t unpacked_limit_bytes = std::size_t{4} << 30;  // a small file can unpack to fill any memory

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

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

FileBytes::FileBytes(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT) throw InputError({path}, "there is no such trace file; check the path");
    throw InputError({path}, fmt::format("cannot open the trace: {}", std::strerror(errno)));
  }
  map_or_read(file.get(), path);
  if (view().starts_with("\x1f\x8b")) {
    std::string unpacked = unpack(view(), path);
    if (mapped_) ::munmap(const_cast<char*>(data_), size_);
    mapped_ = false;
    own(std::move(unpacked));
  }
}

void FileBytes::map_or_read(int fd, const std::string& path) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw InputError({path}, fmt::format("cannot read: {}", std::strerror(errno)));
  if (S_ISDIR(status.st_mode)) throw InputError({path}, "this is a directory; name the trace file in it");
  if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
    throw InputError({path}, "this is a device, which may have no end; name a file");
  if (S_ISREG(status.st_mode) && status.st_size > 0) {
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping != MAP_FAILED) {
      ::madvise(mapping, size, MADV_SEQUENTIAL);
      data_ = static_cast<const char*>(mapping);
      size_ = size;
      mapped_ = true;
      return;
    }
  }
  std::string bytes;
  std::array<char, 1 << 16> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  while (true) {
    const ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n == 0) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw InputError({path}, fmt::format("cannot read: {}", std::strerror(errno)));
    bytes.append(chunk.data(), static_cast<std::size_t>(n));
    if (bytes.size() > unpacked_limit_bytes)
      throw InputError({path}, "the pipe gave more than 4 GiB, which are held in memory; write it to a file first");
  }
  own(std::move(bytes));
}

void FileBytes::own(std::string bytes) {
  owned_ = std::move(bytes);
  data_ = owned_.data();
  size_ = owned_.size();
}

FileBytes::~FileBytes() {
  if (mapped_) ::munmap(const_cast<char*>(data_), size_);
}

void FileBytes::release(std::size_t begin, std::size_t end) const {
  if (!mapped_) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  begin = begin / page * page;  // the page before `begin` is whole now too
  end = end / page * page;
  // A private mapping never written to loses nothing: another reader of these bytes faults them in again.
  if (begin < end) ::madvise(const_cast<char*>(data_) + begin, end - begin, MADV_DONTNEED);
}
}  // namespace stowage
