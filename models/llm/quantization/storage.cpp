#include "models/llm/quantization/storage.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace stowage {
namespace {
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

constexpr Storage fp8 = {.bits = 8, .matrix_bytes = 8};  // float32 scales of weights and inputs (ModelOpt)
constexpr Storage fp8_block = {.bits = 8, .group = 128, .block_rows = 128, .scale_bits = 32};
constexpr Storage fp8_row = {.bits = 8, .row_bytes = 2};  // a 16-bit scale a channel (compressed-tensors)
constexpr Storage int8 = {.bits = 8, .row_bytes = 2, .integer = true};
constexpr Storage int4 = {.bits = 4, .group = 128, .scale_bits = 20, .integer = true};
constexpr Storage nvfp4 = {.bits = 4, .group = 16, .scale_bits = 8, .matrix_bytes = 8};
constexpr Storage mxfp4 = {.bits = 4, .group = 32, .scale_bits = 8};
constexpr Storage mxfp8 = {.bits = 8, .group = 32, .scale_bits = 8};
// bitsandbytes: nf4 with doubly quantized scales, 8 bits for 64 values and a float32 for 256 of those
// (bitsandbytes/functional.py, quantize_4bit with compress_statistics); int8 with a float32 a row.
constexpr Storage nf4 = {.bits = 4, .group = 64, .scale_bits = 8};
constexpr Storage bnb8 = {.bits = 8, .row_bytes = 4, .integer = true};

struct Named {
  std::string_view name;
  Storage storage;
};
// In lower case, dashes and underscores left out. Spellings: vLLM's --quantization, ModelOpt's quant_algo.
constexpr std::array<Named, 24> named = {{{"none", {}},
                                          {"fp8", fp8},
                                          {"fp8block", fp8_block},
                                          {"fp8pbwo", fp8_block},
                                          {"fp8perchannelpertoken", fp8_row},
                                          {"fbgemmfp8", fp8_row},
                                          {"w8a8", int8},
                                          {"int8", int8},
                                          {"w8a8sqperchannel", int8},
                                          {"w8a16", int8},
                                          {"int4", int4},
                                          {"awq", int4},
                                          {"gptq", int4},
                                          {"w4a16", int4},
                                          {"int4awq", int4},
                                          {"w4a16awq", int4},
                                          {"w4a8awq", int4},
                                          {"nvfp4", nvfp4},
                                          {"w4a16nvfp4", nvfp4},
                                          {"nvfp4awq", nvfp4},
                                          {"mxfp4", mxfp4},
                                          {"mxfp8", mxfp8},
                                          {"bitsandbytes", nf4},
                                          {"nf4", nf4}}};
}  // namespace

std::string_view quant_name(Quant quant) {
  constexpr std::array<std::string_view, 8> names = {"none",  "fp8",   "fp8-block", "int4",
                                                     "mxfp4", "nvfp4", "int8",      "mixed"};
  return names.at(static_cast<std::size_t>(quant));
}

std::int64_t Storage::bytes(std::int64_t rows, std::int64_t columns, std::int64_t element) const {
  if (plain()) return rows * columns * element;
  std::int64_t n = ceil_div(rows * columns * bits, 8) + rows * row_bytes + matrix_bytes;
  if (group > 0) n += ceil_div(ceil_div(rows, block_rows) * ceil_div(columns, group) * scale_bits, 8);
  return n;
}

std::optional<Storage> storage_of(std::string_view name) {
  std::string plain;
  for (const char c : name)
    if (c != '-' && c != '_') plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (plain == "int8bitsandbytes") return bnb8;
  const auto it = std::ranges::find(named, plain, &Named::name);
  return it == named.end() ? std::nullopt : std::optional(it->storage);
}

Storage storage_of(Quant quant) {
  switch (quant) {
    case Quant::fp8:
      return fp8;
    case Quant::fp8_block:
      return fp8_block;
    case Quant::int4:
      return int4;
    case Quant::mxfp4:
      return mxfp4;
    case Quant::nvfp4:
      return nvfp4;
    case Quant::int8:
      return int8;
    case Quant::none:
    case Quant::mixed:
      break;
  }
  return {};
}

Quant quant_of(const Storage& s) {
  if (s.plain()) return Quant::none;
  if (s.bits == 4)
    return s.group == 16 ? Quant::nvfp4 : s.group == 32 && s.scale_bits == 8 ? Quant::mxfp4 : Quant::int4;
  if (s.block_rows > 1) return Quant::fp8_block;
  return s.bits == 8 && !s.integer ? Quant::fp8 : Quant::int8;
}
}  // namespace stowage
