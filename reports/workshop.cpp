#include "reports/workshop.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "base/error.hpp"
#include "reports/folder_moves.hpp"

namespace stowage {
namespace fs = std::filesystem;
namespace {
constexpr std::size_t name_bytes_max = 200;  // of the target's name in ours: a file's name has 255 at most

/// Is the folder the root of a file system of its own? It cannot be renamed then.
bool mounted(const fs::path& folder) {
  struct statx facts {};
  if (::statx(AT_FDCWD, folder.c_str(), 0, STATX_TYPE, &facts) != 0) return false;
  return (facts.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

bool same_file(int fd, const fs::path& path) {
  struct stat ours {}, there {};
  return ::fstat(fd, &ours) == 0 && ::lstat(path.c_str(), &there) == 0 && ours.st_dev == there.st_dev &&
         ours.st_ino == there.st_ino;
}
}  // namespace

void fail(const std::string& what, const fs::path& path, int code) {
  throw EnvironmentError(what + " '" + path.string() + "': " + std::generic_category().message(code));
}

Workshop::Workshop(const fs::path& target, const std::string& shown)
    : beside_(!fs::is_directory(target) ||
              (::access(target.parent_path().c_str(), W_OK | X_OK) == 0 && !mounted(target))),
      place_(beside_ ? target.parent_path() / ("." + target.filename().string().substr(0, name_bytes_max) + ".stowage")
                     : target / moves_name),
      clean_up_([this] { remove(); }) {
  const Uninterrupted gate;
  lock(shown);
  clear();
}

void Workshop::lock(const std::string& shown) {
  const fs::path file = place_ / "lock";
  for (;;) {
    if (::mkdir(place_.c_str(), 0777) != 0 && errno != EEXIST) fail("cannot write", shown, errno);
    if (fs::is_symlink(place_)) fail("cannot use", place_, ENOTDIR);
    fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd_ < 0 && errno == ENOENT) continue;  // taken away by the one who ended just now
    if (fd_ < 0) {
      const int code = errno;
      ::rmdir(place_.c_str());
      fail("cannot write", shown, code);
    }
    const bool taken = ::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!taken && same_file(fd_, file)) break;
    ::close(fd_);
    if (taken)
      throw InputError({shown}, "another stowage command is writing here; wait until it ends, or name another place");
  }
  held_ = true;
}

/// What a killed command left goes, but not a marker of what is to be read from here (reports/folder_moves.hpp).
void Workshop::clear() const {
  std::error_code error;
  std::vector<fs::path> left;
  for (fs::directory_iterator entry(place_, error), end; !error && entry != end; entry.increment(error))
    if (entry->path().filename() != "lock") left.push_back(entry->path());
  if (!beside_ && moves_pending(place_.parent_path())) return;
  for (const fs::path& path : left) fs::remove_all(path, error);
}

void Workshop::remove() {
  if (!held_) return;
  held_ = false;
  clear();
  ::unlink((place_ / "lock").c_str());
  ::rmdir(place_.c_str());
}

Workshop::~Workshop() {
  const Uninterrupted gate;
  remove();
  if (fd_ >= 0) ::close(fd_);
}
}  // namespace stowage
