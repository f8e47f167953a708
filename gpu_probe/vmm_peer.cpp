#include "gpu_probe/vmm_peer.hpp"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>

#include "gpu_probe/vmm_steps.hpp"

extern char** environ;

namespace stowage::probe {
namespace {
/// Map and set-access of 256 pages, then unmap them, again and again: the time of one map with its set-access.
Series map_for(int device, double seconds) {
  CUDA_CHECK(cudaSetDevice(device));
  constexpr std::size_t pages = 256;
  std::vector<VmmHandle> handles;
  for (std::size_t i = 0; i < pages; ++i) handles.emplace_back(device, page_2mib);
  VmmRange range(device, pages * page_2mib, page_2mib);
  Series times;
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - start < std::chrono::duration<double>(seconds)) {
    for (std::size_t i = 0; i < pages; ++i)
      times.add(timed_us([&] {
        range.map(i, handles[i]);
        range.set_access(i, 1);
      }));
    for (std::size_t i = 0; i < pages; ++i) range.unmap(i, 1);
  }
  times.stop = StopReason::timeout;
  return times;
}

/// The other process, its standard output read here. Always waited for.
class Peer {
 public:
  Peer(int device, double seconds) {
    int ends[2];
    if (pipe(ends) != 0) throw EnvironmentError("cannot make a pipe to a second process");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    std::string name = "gpu_probe", flag(vmm_peer_flag), on = fmt::format("{}", device),
                how_long = fmt::format("{}", seconds);
    char* argv[] = {name.data(), flag.data(), on.data(), how_long.data(), nullptr};
    const int status = posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    from_ = fdopen(ends[0], "r");
    if (status != 0 || from_ == nullptr) throw EnvironmentError("cannot start a second process");
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() {
    if (from_ != nullptr) std::fclose(from_);
    int status = 0;
    if (pid_ > 0) waitpid(pid_, &status, 0);
  }
  std::string read_line() {
    char line[128] = "";
    return std::fgets(line, sizeof line, from_) == nullptr ? "" : line;
  }

 private:
  pid_t pid_ = -1;
  std::FILE* from_ = nullptr;
};
}  // namespace

int vmm_peer_main(std::string_view device, std::string_view seconds) {
  std::signal(SIGINT, SIG_IGN);  // the first process decides, and this one ends within seconds anyway
  int index = 0;
  double how_long = 0;
  std::from_chars(device.data(), device.data() + device.size(), index);
  std::from_chars(seconds.data(), seconds.data() + seconds.size(), how_long);
  CUDA_CHECK(cudaSetDevice(index));
  CUDA_CHECK(cudaFree(nullptr));
  static_cast<void>(map_for(index, 0.1));
  std::puts("ready");
  std::fflush(stdout);
  const Summary s = map_for(index, how_long).summary();
  std::fputs(fmt::format("{} {:.3f} {:.3f}\n", s.n, s.median, s.p99).c_str(), stdout);
  return 0;
}

void vmm_two_processes(Context& context) {
  if (context.device().count < 2) {
    context.note("two_processes: waived, needs 2 GPUs");
    return;
  }
  const double seconds = context.quick() ? 0.3 : 1.0;
  const int other = context.device().index == 0 ? 1 : 0;
  const auto add = [&](const char* state, const Series& times) {
    context.add(figure("two_processes_map", {{"other_process", std::string(state)}}, "us", times));
  };
  add("none", map_for(context.device().index, seconds));
  Peer peer(other, 3 * seconds);
  if (peer.read_line() != "ready\n") {
    context.note("two_processes: the second process did not start");
    return;
  }
  add("maps on another GPU", map_for(context.device().index, seconds));
}

}  // namespace stowage::probe
