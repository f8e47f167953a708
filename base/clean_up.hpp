#pragma once
// What a signal that ends the program must undo: files half-written, folders made for them, a child that was started.
// Whoever makes such a thing registers its undoing; cli/interrupt.cpp has it done.
#include <functional>

namespace stowage {

/// `undo` is done when the program is interrupted while this lives. Register it before there is anything to undo. It
/// runs in another thread, while others still work, and must not throw.
class CleanUp {
 public:
  explicit CleanUp(std::function<void()> undo);
  ~CleanUp();
  CleanUp(const CleanUp&) = delete;
  CleanUp& operator=(const CleanUp&) = delete;
};

/// No clean-up begins while this lives; once one has begun, the constructor does not return. For steps that make a
/// thing to be undone, or put a finished one in its place. May be nested.
class Uninterrupted {
 public:
  Uninterrupted();
  ~Uninterrupted();
  Uninterrupted(const Uninterrupted&) = delete;
  Uninterrupted& operator=(const Uninterrupted&) = delete;
};

/// Undoes what is registered, the latest first. The program must end afterwards: Uninterrupted blocks for good.
void clean_up();
}  // namespace stowage
