#pragma once
// Hugging Face's config.json, for the dense families of the zoo.
#include <string>

#include "base/config.hpp"
#include "models/llm/model.hpp"

namespace stowage {
/// `root` is the file's map and has `model_type`: llama, mistral, qwen2, qwen3 or opt. Every other architecture, and
/// experts, latent attention, sliding windows and quantized weights of a known one, is refused with what is missing.
/// Keys that do not bear on memory or arithmetic are ignored. Problems are recorded, not thrown.
[[nodiscard]] ModelSpec read_huggingface(const ConfigNode& root, const std::string& file, Problems& problems);
}  // namespace stowage
