#pragma once
// A request as the simulator reads it, what its prompt is made of, and the streams that bring requests.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace stowage {

/// What a prompt is made of, as far as other prompts may begin alike (for prefix caches). Whatever is behind it, the
/// answer too, is the request's own: equal to nothing else. Rules: docs/semantics.md, S15.
struct PromptContent {
  /// Tokens of an earlier request, of its prompt's own part and of its answer, up to the prompt's token `end`.
  struct Turn {
    std::uint64_t request = 0;  // its id
    std::int64_t end = 0;       // of its prompt and answer together, in tokens from the prompt's begin
  };
  std::span<const std::uint64_t> hashes;  // one for every `hash_tokens` tokens of the prompt's head
  std::int64_t hash_tokens = 0;           // 0 without hashes
  std::uint64_t salt = 0;                 // equal hashes under equal salts are equal tokens
  std::span<const Turn> turns;            // behind the hashes, by `end`
};

/// One row of any workload. `arrival_ns` counts from the workload's own origin (the first arrival of a trace is
/// at 0 unless the format says otherwise). `output_tokens` is the truth that only the engine sees; policies never do.
struct Request {
  std::int64_t arrival_ns = 0;
  std::int32_t prompt_tokens = 0;  // >= 1
  std::int32_t output_tokens = 0;  // >= 1
  std::uint64_t id = 0;            // 0, 1, 2, ... in arrival order over the whole run (repeats included)
  /// The client's limit; 0 = output_tokens. With more than output_tokens the request stops by itself, with an
  /// end-of-sequence token, and an engine learns that only when that token is delivered.
  std::int32_t max_tokens = 0;
  std::int32_t content = -1;  // for RequestStream::content; -1 = no other prompt begins as this one

  [[nodiscard]] bool stops_by_itself() const { return max_tokens > output_tokens; }
  /// Outputs that an engine has to reckon with.
  [[nodiscard]] std::int32_t limit() const { return stops_by_itself() ? max_tokens : output_tokens; }
};
static_assert(sizeof(Request) == 32);

/// Pull, in batches: one virtual call for thousands of rows.
class RequestStream {
 public:
  virtual ~RequestStream() = default;
  /// Fills a prefix of `out` and returns its length; 0 at the end. Arrivals never go back in time. Brings only the
  /// requests that wait for no other. Throws InputError with file:line:column.
  [[nodiscard]] virtual std::size_t read(std::span<Request> out) = 0;

  /// Of a request that this stream brought and that was not dropped. The views live until it is dropped.
  [[nodiscard]] virtual PromptContent content(const Request&) const { return {}; }
  /// The request has left for good: its content may go.
  virtual void drop(const Request&) {}

  /// Are there requests that wait for the end of others (turns of a session)? When not, ended() need not be called.
  [[nodiscard]] virtual bool has_followers() const { return false; }
  /// `request` ended at `at_ns`: appends to `ready` the requests that waited for it, with their arrivals, which are not
  /// before `at_ns`. Their ids are larger than its own, but say nothing of their order among other arrivals.
  virtual void ended(const Request& request, std::int64_t at_ns, std::vector<Request>& ready) {
    (void)request, (void)at_ns, (void)ready;
  }
  /// `request` was rejected: appends to `lost` those that will never be sent, and to `ready` those that come all the
  /// same.
  virtual void rejected(const Request& request, std::int64_t at_ns, std::vector<Request>& lost,
                        std::vector<Request>& ready) {
    (void)ready;
    ended(request, at_ns, lost);
  }
};

/// A workload can be opened any number of times, from any thread; each stream brings the same requests.
class Workload {
 public:
  virtual ~Workload() = default;
  [[nodiscard]] virtual std::unique_ptr<RequestStream> open() const = 0;
};
}  // namespace stowage
