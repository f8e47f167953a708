#pragma once
// The files that the points of a sweep read. A journal holds their digests, so that a sweep that goes on, or another
// part of it, cannot mix the numbers of two versions of a file.
#include <cstdint>
#include <string>
#include <vector>

namespace stowage {

struct InputFile {
  std::string path;    // as it is opened
  std::string digest;  // of its bytes; "-" of what is no regular file and cannot be read twice
  std::int64_t size = 0, changed_ns = 0;  // as the file system says: a file that has both is not read again
};

/// Reads the whole file, a block at a time. Throws EnvironmentError.
[[nodiscard]] InputFile input_file(const std::string& path);
/// Is the file still the same? Reads it only where its size or its time says otherwise.
[[nodiscard]] bool unchanged(const InputFile& file);
}  // namespace stowage
