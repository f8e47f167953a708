#pragma once
// A request as the simulator reads it, and the streams that bring requests.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace stowage {

/// One row of any workload. `arrival_ns` counts from the workload's own origin (the first arrival of a trace is
/// at 0 unless the format says otherwise). `output_tokens` is the truth that only the engine sees; policies never do.
struct Request {
  std::int64_t arrival_ns = 0;
  std::int32_t prompt_tokens = 0;  // >= 1
  std::int32_t output_tokens = 0;  // >= 1
  std::uint64_t id = 0;            // 0, 1, 2, ... in arrival order over the whole run (repeats included)
};
static_assert(sizeof(Request) == 24);

/// Pull, in batches: one virtual call for thousands of rows.
class RequestStream {
 public:
  virtual ~RequestStream() = default;
  /// Fills a prefix of `out` and returns its length; 0 at the end. Arrivals never go back in time.
  /// Throws InputError with file:line:column.
  [[nodiscard]] virtual std::size_t read(std::span<Request> out) = 0;
};

/// A workload can be opened any number of times, from any thread; each stream brings the same requests.
class Workload {
 public:
  virtual ~Workload() = default;
  [[nodiscard]] virtual std::unique_ptr<RequestStream> open() const = 0;
};
}  // namespace stowage
