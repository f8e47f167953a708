// A model's config.json comes from anywhere: whatever it holds, the answer is a model or an error with its place.
#include <gtest/gtest.h>

#include "base/read_file.hpp"
#include "models/llm/model.hpp"
#include "models/vllm_log.hpp"
#include "tests/support/mutations.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {
TEST(ConfigJsonLies, EveryValueIsReadOrRefused) {
  for (const char* name : {"Llama-3.1-8B", "DeepSeek-V3", "Gemma-3-27B"}) {
    const std::string path = source_dir() + "/tests/unit/models/configs/" + name + "/config.json";
    const auto config = test::Json::parse(read_file(path, config_bytes_max));
    const auto read = [](const std::string& text) {
      const ModelSpec model = parse_model(text, "config.json");
      if (model.parameters() <= 0 || model.kv_bytes_per_token().count() <= 0 || model.weights_bytes().count() <= 0)
        throw std::logic_error("a model without parameters");
    };
    const test::Lies lies = test::Liar(config, "config.json", read).lies();
    // A model_type nobody knows is read by its general keys, and the model says so (UnknownFamily).
    for (const char* pointer : {"/hidden_size", "/num_hidden_layers", "/num_attention_heads"})
      EXPECT_FALSE(lies.ignored.contains(pointer)) << name << pointer;
    test::damage(config.dump(1), "config.json", 300, read);
  }
}

TEST(VllmLogLies, NumbersWithoutMeasureAreNoMemory) {
  for (const std::string number :
       {"1e309", "999999999999999999999999", "-1", "nan", "0x10", "1,000,000,000,000,000,000"}) {
    const std::string text = "GPU KV cache size: " + number + " tokens\nAvailable KV cache memory: " + number +
                             " GiB\n# GPU blocks: " + number + "\ntotal_gpu_memory (" + number + " GiB)\n";
    try {
      const VllmLog log = parse_vllm_log(text, "vllm.log");
      for (const auto& bytes : {log.kv_cache, log.device}) EXPECT_TRUE(!bytes || bytes->count() >= 0) << number;
      EXPECT_TRUE(!log.kv_tokens || *log.kv_tokens >= 0) << number;
    } catch (const InputError& error) { EXPECT_NE(std::string(error.what()).find("vllm.log"), std::string::npos); }
  }
}
}  // namespace
}  // namespace stowage
