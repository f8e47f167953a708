#pragma once
// The least scenario there is, and how tests of this folder read it with `--set`.
#include <string>
#include <vector>

#include "scenario/scenario.hpp"

namespace stowage {

inline const std::string minimal =
    "model: llama-3-8b\nhardware: h100-sxm-80gb\nmemory: {kv_pool: 8GiB}\n"
    "workload: {requests: [{prompt: 1000, output: 25}]}\nmanagers: [{kind: paged}]\n";

inline Scenario load(const std::string& text, const std::vector<std::string>& sets = {}) {
  return parse_scenario(text, "dir/some-name.yaml", sets);
}
}  // namespace stowage
