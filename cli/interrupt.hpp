#pragma once
// Ctrl-C, SIGTERM and a closed terminal, for every command: the first signal has what is half-written undone
// (base/clean_up.hpp) and ends the program, wherever it computes, reads or waits. A second one does not disturb the
// clean-up; a third ends the program at once.
namespace stowage::cli {

/// Once, at the start of the program.
void take_signals();
/// What a user reads when a signal ends the program from now on; a literal. At first "nothing was written".
void when_interrupted_say(const char* text);
/// For a child between fork and exec: signals as a program expects them.
void default_signals();
}  // namespace stowage::cli
