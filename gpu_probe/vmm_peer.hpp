#pragma once
// A second process that maps and unmaps on another GPU while this one does the same: does the driver's lock reach
// across processes? The binary starts itself with vmm_peer_flag.
#include <string_view>

namespace stowage::probe {

inline constexpr std::string_view vmm_peer_flag = "--vmm-peer";

/// Maps and unmaps on `device` for `seconds`, after printing "ready"; then prints "n p50_us p99_us". Returns the exit
/// status.
int vmm_peer_main(std::string_view device, std::string_view seconds);

}  // namespace stowage::probe
