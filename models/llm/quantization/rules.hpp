#pragma once
// Which matrix is stored how, as a checkpoint's own files say: `quantization_config` of config.json, or ModelOpt's
// hf_quant_config.json beside it. Read are fp8 (by tensor, channel or block), compressed-tensors, ModelOpt, GPTQ, AWQ,
// bitsandbytes, auto-round, Quark, HQQ and mxfp4; sources are vLLM's vllm/model_executor/layers/quantization/*.py.
#include <string>
#include <vector>

#include "base/config.hpp"
#include "models/llm/quantization/patterns.hpp"
#include "models/llm/quantization/storage.hpp"

namespace stowage {

struct QuantRules {
  std::vector<Storage> schemes;  // what patterns of `assigned` point to
  Storage rest;                  // of linear matrices that no pattern names
  bool experts_only = false;     // `rest` is of experts alone
  ModulePatterns ignored, assigned;
  bool fp8_cache = false;  // the file asks for an 8-bit KV cache
  /// How a linear matrix of a layer (or, with layer < 0, outside them) is stored.
  [[nodiscard]] Storage of(std::int64_t layer, const std::string& name, bool expert) const;
};

/// `config`: quantization_config, or `quantization` of hf_quant_config.json. Problems are recorded: a method nobody
/// knows, bits that a method does not have.
[[nodiscard]] QuantRules read_quant_rules(const ConfigNode& config, Problems& problems);
}  // namespace stowage
