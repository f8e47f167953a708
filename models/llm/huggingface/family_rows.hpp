#pragma once
// The tables of families, a file each. `source` of a row names the class of transformers (or vLLM's file under
// vllm/model_executor/models) whose parameters it describes.
#include <span>

#include "models/llm/huggingface/family.hpp"

namespace stowage {
[[nodiscard]] std::span<const Family> llama_rows();
[[nodiscard]] std::span<const Family> plain_rows();
[[nodiscard]] std::span<const Family> expert_rows();
[[nodiscard]] std::span<const Family> state_rows();
}  // namespace stowage
