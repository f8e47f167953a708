#include "planner/inputs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/error.hpp"
#include "planner/digest.hpp"

namespace stowage {
namespace {
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (fd_ < 0) fail();
  }
  ~Reader() { ::close(fd_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  [[nodiscard]] struct stat facts() const {
    struct stat out {};
    if (::fstat(fd_, &out) != 0) fail();
    return out;
  }
  /// 0 at the end.
  std::size_t read(std::vector<char>& block) const {
    for (;;) {
      const ssize_t n = ::read(fd_, block.data(), block.size());
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR) fail();
    }
  }

 private:
  [[noreturn]] void fail() const {
    throw EnvironmentError(fmt::format("cannot read '{}': {}", path_, std::generic_category().message(errno)));
  }
  const std::string& path_;
  int fd_;
};

std::int64_t changed_ns(const struct stat& facts) {
  return static_cast<std::int64_t>(facts.st_mtim.tv_sec) * 1'000'000'000 + facts.st_mtim.tv_nsec;
}
}  // namespace

InputFile input_file(const std::string& path) {
  const Reader reader(path);
  const struct stat facts = reader.facts();
  InputFile out{path, "-", facts.st_size, changed_ns(facts)};
  if (!S_ISREG(facts.st_mode)) return out;
  Digest digest;
  std::vector<char> block(std::size_t{1} << 18);
  while (const std::size_t n = reader.read(block)) digest.bytes(block.data(), n);
  out.digest = digest.text();
  return out;
}

bool unchanged(const InputFile& file) {
  if (file.digest == "-") return true;
  struct stat facts {};
  const bool same = ::stat(file.path.c_str(), &facts) == 0 && facts.st_size == file.size &&
                    changed_ns(facts) == file.changed_ns;
  if (same) return true;
  try {
    return input_file(file.path).digest == file.digest;
  } catch (const EnvironmentError&) { return false; }  // gone
}
}  // namespace stowage
