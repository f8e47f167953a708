#pragma once
// What each resident held since when, for managers whose residents' memory grows and shrinks at odd times: what of it
// was never used is known when they leave, and is booked back over their lives then.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/account/memory_account.hpp"
#include "sim/kernel/sequence.hpp"

namespace stowage {

class HeldHistory {
 public:
  explicit HeldHistory(std::size_t residents) : changes_(residents) {}

  void begin(Sid s) { of(s).clear(); }
  /// `s` holds so much from now on.
  void hold(Sid s, std::int64_t bytes, std::int64_t now_ns) {
    auto& h = of(s);
    if (!h.empty() && h.back().since_ns == now_ns) h.back().bytes = bytes;
    else h.push_back({now_ns, bytes});
  }
  /// `s` leaves, with so many bytes of tokens.
  void settle(Sid s, std::int64_t used, std::int64_t now_ns, MemoryAccount& account) const {
    const auto& h = changes_[static_cast<std::size_t>(s)];
    for (std::size_t i = 0; i < h.size(); ++i) {
      const std::int64_t until = i + 1 < h.size() ? h[i + 1].since_ns : now_ns;
      account.book_internal(h[i].since_ns, until, std::max<std::int64_t>(0, h[i].bytes - used));
    }
  }

 private:
  struct Change {
    std::int64_t since_ns, bytes;
  };
  std::vector<Change>& of(Sid s) { return changes_[static_cast<std::size_t>(s)]; }
  std::vector<std::vector<Change>> changes_;  // by sid
};
}  // namespace stowage
