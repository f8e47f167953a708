#pragma once
// How a matrix is stored, and what that takes. A scheme is a row of numbers, so that every named method (fp8, int8,
// awq, gptq, nvfp4, mxfp4, bitsandbytes) is one.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stowage {

/// How the layers' matrices are stored as a whole, in words; the row of numbers is Storage.
///   fp8 1 byte a parameter; fp8_block 1 + 4 / 128^2 (a float32 scale a 128 x 128 block: DeepSeek-V3); int8 1;
///   int4 (64 + 2.5) / 128 (groups of 128: a 16-bit scale and a 4-bit zero: AWQ, GPTQ);
///   nvfp4 9 / 16 (16 values share an 8-bit scale);
///   mxfp4 17 / 32 (32 values share an 8-bit scale), experts only, all else 16-bit: gpt-oss;
///   mixed: by matrix, as the file lists (LayerTable has each).
enum class Quant : std::uint8_t { none, fp8, fp8_block, int4, mxfp4, nvfp4, int8, mixed };
[[nodiscard]] std::string_view quant_name(Quant quant);

struct Storage {
  std::int64_t bits = 0;          // a value; 0 = as the model's dtype
  std::int64_t group = 0;         // values of a row that share a scale; 0 = none
  std::int64_t block_rows = 1;    // rows that share it too
  std::int64_t scale_bits = 0;    // of a group, its zero point included
  std::int64_t row_bytes = 0;     // beside each row: a scale a channel
  std::int64_t matrix_bytes = 0;  // beside each matrix: scales of the whole
  bool integer = false;           // values are integers, not floating point
  [[nodiscard]] bool plain() const { return bits == 0; }
  /// A matrix of rows x columns as stored; `element`: bytes of the model's dtype.
  [[nodiscard]] std::int64_t bytes(std::int64_t rows, std::int64_t columns, std::int64_t element) const;
  bool operator==(const Storage&) const = default;
};

/// The scheme of a name: "fp8", "fp8-block", "int4", "int8", "nvfp4", "mxfp4", and ModelOpt's and others' spellings of
/// them ("FP8", "W4A16_NVFP4", "FP8_PB_WO", "W8A8", "nf4" ...); nothing for a name nobody knows.
[[nodiscard]] std::optional<Storage> storage_of(std::string_view name);
[[nodiscard]] Storage storage_of(Quant quant);
/// The word for a scheme that a table row has.
[[nodiscard]] Quant quant_of(const Storage& storage);
}  // namespace stowage
