#pragma once
// `gpu_probe replay`: the door to gpu_probe/replay, which alone knows the simulator.

namespace stowage::probe {

/// argv[0] is "replay". Returns the exit code; throws as main.cpp expects.
int replay_main(int argc, char** argv);

}  // namespace stowage::probe
