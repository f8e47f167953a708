#pragma once
// Ctrl-C and SIGTERM: the handler only notes the signal; long work asks now and then and unwinds, so that every
// half-written file goes away in a destructor. A second signal ends the process at once.
namespace stowage::cli {

struct Interrupted {
  int signal;
};

void install_signal_handlers();
/// Throws Interrupted when a signal has come.
void check_interrupted();
}  // namespace stowage::cli
