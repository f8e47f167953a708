#include "traces/guarded_map.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>

namespace stowage {
struct GuardedRange {
  std::atomic<bool> taken = false;
  std::atomic<std::uintptr_t> begin = 0;
  std::atomic<std::size_t> size = 0;
  std::atomic<bool> lost = false;
};

namespace {
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables): a signal handler sees nothing else
std::array<GuardedRange, 64> ranges;  // more maps at once than any scenario has traces; others are read
struct sigaction before {};
std::uintptr_t page_bytes = 4096;
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

/// Puts zeros where the file is gone, from the page that was touched on. A fault elsewhere ends the program as it would
/// have.
extern "C" void mend_page(int /*signal*/, siginfo_t* info, void* /*context*/) {
  const int code = errno;
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (GuardedRange& range : ranges) {
    const std::uintptr_t begin = range.begin, end = begin + range.size, page = at / page_bytes * page_bytes;
    if (begin == 0 || at < begin || at >= end) continue;
    constexpr int zeros = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
    if (::mmap(reinterpret_cast<void*>(page), end - page, PROT_READ, zeros, -1, 0) == MAP_FAILED) break;
    range.lost = true;
    errno = code;
    return;
  }
  ::sigaction(SIGBUS, &before, nullptr);
}

void guard() {
  static std::once_flag once;
  std::call_once(once, [] {
    page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    struct sigaction action {};
    action.sa_sigaction = mend_page;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, &before);
  });
}
}  // namespace

GuardedMap::~GuardedMap() { unmap(); }

bool GuardedMap::map(int fd, std::size_t size) {
  guard();
  for (GuardedRange& range : ranges) {
    if (range.taken.exchange(true)) continue;
    void* const at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) {
      range.taken = false;
      return false;
    }
    ::madvise(at, size, MADV_SEQUENTIAL);
    range.lost = false;
    range.size = size;
    range.begin = reinterpret_cast<std::uintptr_t>(at);
    range_ = &range;
    return true;
  }
  return false;
}

void GuardedMap::unmap() {
  if (range_ == nullptr) return;
  void* const at = reinterpret_cast<void*>(range_->begin.exchange(0));
  ::munmap(at, range_->size);
  range_->taken = false;
  range_ = nullptr;
}

const char* GuardedMap::data() const { return reinterpret_cast<const char*>(range_->begin.load()); }

bool GuardedMap::lost() const { return range_ != nullptr && range_->lost; }
}  // namespace stowage
