#pragma once
// CRC-64/XZ of pieces of text and of files: enough to see that something changed, not that somebody meant harm.
#include <fmt/format.h>

#include <boost/crc.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace stowage {

class Digest {
 public:
  /// Ended, so that "ab","c" is not "a","bc".
  void add(std::string_view piece) {
    bytes(piece.data(), piece.size());
    crc_.process_byte('\n');
  }
  void bytes(const char* data, std::size_t size) { crc_.process_bytes(data, size); }
  [[nodiscard]] std::string text() const { return fmt::format("{:016x}", crc_.checksum()); }

 private:
  boost::crc_optimal<64, 0x42F0E1EBA9EA3693ULL, ~0ULL, ~0ULL, true, true> crc_;
};
}  // namespace stowage
