#pragma once
// Hugging Face's config.json.
#include <string>
#include <string_view>

#include "base/config.hpp"
#include "models/llm/model.hpp"

namespace stowage {
/// `root` is the file's map and has `model_type`; a Gemma 3 file may keep its language model in `text_config`. What a
/// family does without a key saying so (biases, norms, sinks, windows) is in the table of huggingface.cpp. `family`
/// reads the file as one of these whatever its model_type says; "" = as it says. An unknown type is refused with what
/// cannot be known from the file, as are shapes a known one should not have. Keys that do not bear on memory or
/// arithmetic are ignored. Problems are recorded, not thrown.
[[nodiscard]] ModelSpec read_huggingface(const ConfigNode& root, const std::string& file, Problems& problems,
                                         std::string_view family = {});
/// "llama, mistral, ...", for messages and help.
[[nodiscard]] std::string huggingface_families();
}  // namespace stowage
