#include "models/vllm_log.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/error.hpp"
#include "base/ranges.hpp"
#include "base/read_file.hpp"

namespace stowage {
namespace {
/// The number that follows the last `key` in the text (or begins it: key ""), blanks, brackets and colons between, with
/// thousands separated by commas or not.
std::optional<double> number_after(std::string_view text, std::string_view key) {
  const std::size_t found = key.empty() ? 0 : text.rfind(key);
  if (found == std::string_view::npos) return std::nullopt;
  std::size_t i = found + key.size();
  while (i < text.size() && (text[i] == ' ' || text[i] == '(' || text[i] == ':')) ++i;
  std::string digits;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    const bool next_digit = i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
    if (c == ',' && !digits.empty() && next_digit) continue;
    if ((c < '0' || c > '9') && (c != '.' || !next_digit)) break;
    digits += c;
  }
  double value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || result.ec != std::errc{} || value > 1e15) return std::nullopt;
  return value;
}

/// "8.58 GiB for weight": the number before the words.
std::optional<double> number_before(std::string_view text, std::string_view words) {
  const std::size_t found = text.rfind(words);
  if (found == std::string_view::npos) return std::nullopt;
  std::size_t begin = found;
  while (begin > 0 && (text[begin - 1] == '.' || (text[begin - 1] >= '0' && text[begin - 1] <= '9'))) --begin;
  return number_after(text.substr(begin, found - begin), "");
}

std::optional<Bytes> gib(std::optional<double> value) {
  if (!value) return std::nullopt;
  const double bytes = *value * 1073741824.0;
  if (bytes > static_cast<double>(bytes_max)) return std::nullopt;
  return Bytes{static_cast<std::int64_t>(bytes)};
}
std::optional<std::int64_t> whole(std::optional<double> value) {
  if (!value) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}
template <class T>
std::optional<T> first_of(std::optional<T> a, std::optional<T> b) {
  return a ? a : b;
}
}  // namespace

VllmLog parse_vllm_log(std::string_view text, const std::string& file, std::int64_t block_size) {
  VllmLog log;
  log.blocks = whole(first_of(number_after(text, "# GPU blocks"), number_after(text, "# CUDA blocks")));
  log.kv_tokens = whole(number_after(text, "GPU KV cache size"));
  if (!log.kv_tokens && log.blocks) log.kv_tokens = *log.blocks * block_size;
  log.kv_cache = gib(first_of(number_after(text, "Available KV cache memory"),
                              number_after(text, "the rest of the memory reserved for KV Cache is")));
  const auto loaded = first_of(number_after(text, "model weights take"), number_after(text, "Model loading took"));
  log.weights = gib(first_of(number_before(text, " GiB for weight"), loaded));
  log.activations = gib(first_of(number_before(text, " GiB for peak activation"),
                                 number_after(text, "PyTorch activation peak memory takes")));
  log.overhead =
      gib(first_of(number_before(text, " GiB for non-torch memory"), number_after(text, "non_torch_memory takes")));
  log.graphs = gib(number_after(text, "Estimated CUDA graph memory"));
  log.device = gib(number_after(text, "total_gpu_memory"));
  log.utilization = number_after(text, "gpu_memory_utilization");
  if (const std::size_t at = text.rfind("Maximum concurrency for"); at != std::string_view::npos) {
    const auto line = text.substr(at, text.find('\n', at) - at);
    log.concurrency_len = whole(number_after(line, "Maximum concurrency for"));
    log.concurrency = number_after(line, "tokens per request");
  }
  if (!log.kv_tokens && !log.kv_cache)
    throw InputError({file, 1, 1},
                     "this log does not tell the size of the KV cache; it needs vLLM's line 'GPU KV cache "
                     "size: ... tokens', '# GPU blocks: ...' or 'Available KV cache memory: ... GiB'");
  return log;
}

VllmLog load_vllm_log(const std::string& path, std::int64_t block_size) {
  return parse_vllm_log(read_file(path, whole_bytes_max), path, block_size);
}
}  // namespace stowage
