#include "base/clean_up.hpp"

#include <mutex>
#include <utility>
#include <vector>

namespace stowage {
namespace {
struct Registry {
  std::recursive_mutex gate;
  std::vector<std::pair<const CleanUp*, std::function<void()>>> undos;
};

/// Never destroyed: a signal may come while the program ends.
Registry& registry() {
  static auto* const made = new Registry;
  return *made;
}
}  // namespace

CleanUp::CleanUp(std::function<void()> undo) {
  const Uninterrupted gate;
  registry().undos.emplace_back(this, std::move(undo));
}

CleanUp::~CleanUp() {
  const Uninterrupted gate;
  std::erase_if(registry().undos, [this](const auto& entry) { return entry.first == this; });
}

Uninterrupted::Uninterrupted() { registry().gate.lock(); }
Uninterrupted::~Uninterrupted() { registry().gate.unlock(); }

void clean_up() {
  registry().gate.lock();
  auto& undos = registry().undos;
  for (auto entry = undos.rbegin(); entry != undos.rend(); ++entry) entry->second();
}
}  // namespace stowage
