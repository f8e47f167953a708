#include "cli/interrupt.hpp"

#include <csignal>

namespace stowage::cli {
namespace {
volatile std::sig_atomic_t pending = 0;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): signal handler

extern "C" void note_signal(int signal) { pending = signal; }
}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a reader that went away is seen where stdout is written
}

void check_interrupted() {
  if (pending != 0) throw Interrupted{pending};
}
}  // namespace stowage::cli
