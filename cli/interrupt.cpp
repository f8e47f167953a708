#include "cli/interrupt.hpp"

#include <semaphore.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <thread>

#include "base/clean_up.hpp"

namespace stowage::cli {
namespace {
constexpr std::array<int, 3> ending = {SIGINT, SIGTERM, SIGHUP};
constexpr std::array<int, 2> ignored = {
    SIGPIPE,   // a reader that went away is seen where stdout is written
    SIGXFSZ};  // so is a limit on the size of files: as an error of the write

// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables): a signal handler sees nothing else
std::atomic<int> signals = 0, first = 0;
std::atomic<const char*> consequence = "interrupted; nothing was written";
sem_t woken;
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

extern "C" void note_signal(int signal) {
  const int code = errno;
  const int nth = ++signals;
  if (nth == 1) first = signal, ::sem_post(&woken);
  if (nth > 2) ::_exit(128 + first);
  errno = code;
}

void tell(const char* text) { (void)!::write(STDERR_FILENO, text, std::strlen(text)); }

/// Only a thread of its own may wait for others, as a clean-up must: for the end of a commit, for instance.
void end_when_woken() {
  while (::sem_wait(&woken) != 0) {}
  clean_up();
  if (::isatty(STDERR_FILENO) != 0) tell("\r\033[K");  // the line of progress
  tell("stowage: ");
  tell(consequence);
  tell("\n");
  ::_exit(128 + first);
}
}  // namespace

void take_signals() {
  for (const int signal : ignored) std::signal(signal, SIG_IGN);
  ::sem_init(&woken, 0, 0);
  try {
    std::thread(end_when_woken).detach();
  } catch (const std::system_error&) {
    return;  // no thread to be had: a signal ends the program without a clean-up, which the next one then does
  }
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;
  for (const int signal : ending) {
    if (signal == SIGHUP && std::signal(signal, SIG_DFL) == SIG_IGN)
      std::signal(signal, SIG_IGN);  // nohup
    else
      ::sigaction(signal, &action, nullptr);
  }
}

void when_interrupted_say(const char* text) { consequence = text; }

void default_signals() {
  for (const int signal : ending) std::signal(signal, SIG_DFL);
  for (const int signal : ignored) std::signal(signal, SIG_DFL);
}
}  // namespace stowage::cli
