#pragma once
// What a self-test plants, once a run, to see that it would be noticed. It changes what the kernels are told, never the
// books, so that the schedule stays.
#include <cstdint>

namespace stowage::replay {

enum class Fault : std::uint8_t {
  none,
  block_off_by_one,
  page_off_by_one,
  shared_off_by_one,   // a block found for someone is taken for the one after it
  freed_while_shared,  // a block goes to someone else when only one of its holders left
  evicted_while_held,  // a block goes to someone else just after it was found
};

}  // namespace stowage::replay
