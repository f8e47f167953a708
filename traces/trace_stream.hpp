#pragma once
// An opened trace, and the streams over it.
#include <cstdint>
#include <memory>
#include <vector>

#include "base/request.hpp"
#include "traces/file_bytes.hpp"
#include "traces/format.hpp"
#include "traces/workload.hpp"

namespace stowage {

/// What all streams of a trace share; read-only once made.
struct Trace {
  explicit Trace(const TraceOptions& o) : options(o), bytes(o.path) {}
  TraceOptions options;
  FileBytes bytes;
  const TraceFormat* format = nullptr;
  std::int64_t hash_tokens = 0;  // 0 in a format without hashes
  std::uint64_t kept = 0;        // rows of one copy
  std::int64_t first_ns = 0;
  std::int64_t period_ns = 0;  // from a copy's first arrival to the next copy's
  double whole_ns = 0;         // from the first arrival of all to the last
  bool held = true;
  std::vector<RawRow> rows;  // when held: all, in order
  RowHashes hashes;          // of them, in a format that has hashes
};

[[nodiscard]] std::unique_ptr<RequestStream> open_stream(std::shared_ptr<const Trace> trace, double rate_scale);
}  // namespace stowage
