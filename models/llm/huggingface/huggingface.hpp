#pragma once
// Hugging Face's config.json.
#include <string>
#include <string_view>

#include "base/config.hpp"
#include "models/llm/model.hpp"

namespace stowage {
/// `root` is the file's map; a model of several modalities keeps its language model in text_config, language_config or
/// llm_config. What a family does without a key saying so (biases, norms, sinks, windows) is in the table of
/// huggingface/families.cpp. `family` reads the file as one of these whatever its model_type says; "" = as it says. A
/// type that is not in the table is read by the keys that families share, and the model says what was assumed; it is
/// refused when the file has what those keys cannot say. `beside`: the map of hf_quant_config.json, or nothing. Keys
/// that do not bear on memory or arithmetic are ignored. Problems are recorded, not thrown.
[[nodiscard]] ModelSpec read_huggingface(const ConfigNode& root, const std::string& file, Problems& problems,
                                         std::string_view family = {}, const ConfigNode& beside = {});
}  // namespace stowage
