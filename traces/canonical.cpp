// The project's own format: `arrival_ns,prompt_tokens,output_tokens`, whole nanoseconds from any origin >= 0. What
// `trace convert` and `trace synth` write, and the quickest to read.
#include <array>
#include <charconv>
#include <ostream>
#include <vector>

#include "base/error.hpp"
#include "traces/csv.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {
constexpr std::array<std::string_view, 3> column_names = {"arrival_ns", "prompt_tokens", "output_tokens"};
constexpr std::uint64_t latest_ns = std::uint64_t{1} << 62;  // 146 years; leaves room to add two of them

class Nanoseconds {
 public:
  static const char* plain(const char* p, std::int64_t& ns) {
    csv::Digits digits = csv::digits8(p);
    std::uint64_t value = digits.value;
    p += digits.count;
    if (digits.count == 8) {
      digits = csv::digits8(p);
      for (unsigned i = 0; i < digits.count; ++i) value *= 10;
      value += digits.value;
      p += digits.count;
      if (digits.count == 8) {
        for (int i = 0; i < 2 && *p >= '0' && *p <= '9'; ++i) value = value * 10 + static_cast<unsigned>(*p++ - '0');
      }
    } else if (digits.count == 0) {
      return nullptr;
    }
    ns = static_cast<std::int64_t>(value);
    return value <= latest_ns ? p : nullptr;
  }

  static std::string parse(std::string_view text, std::int64_t& ns) {
    if (text.empty()) return "is empty; write whole nanoseconds";
    if (text.front() == '-') return "is negative; write whole nanoseconds from the first arrival";
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end != text.data() + text.size()) return "is not a whole number of nanoseconds; write digits only";
    if (error != std::errc{} || value > latest_ns) return "is more than 146 years of nanoseconds";
    ns = static_cast<std::int64_t>(value);
    return {};
  }
};

bool matches(std::string_view first_line) { return csv::find_columns(first_line, column_names).has_value(); }
std::unique_ptr<RowReader> open(std::string_view text, const std::string& file, std::int64_t) {
  return std::make_unique<csv::Reader<Nanoseconds>>(text, file, column_names);
}

/// Appends `value` and `end` to the characters at `p`; returns the new end.
char* put(char* p, std::int64_t value, char end) {
  p = std::to_chars(p, p + 20, value).ptr;
  *p = end;
  return p + 1;
}
}  // namespace

constinit const TraceFormat canonical_format = {"canonical", "this project's own",
                                                "arrival_ns,prompt_tokens,output_tokens", matches, open};

void write_canonical(const Workload& workload, std::ostream& out) {
  constexpr std::size_t row_chars_max = std::size_t{3} * 21;
  std::vector<Request> batch(1024);
  std::vector<char> text(batch.size() * row_chars_max);
  out << canonical_format.header << '\n';
  const auto stream = workload.open();
  while (const std::size_t n = stream->read(batch)) {
    char* p = text.data();
    for (std::size_t i = 0; i < n; ++i) {
      p = put(p, batch[i].arrival_ns, ',');
      p = put(p, batch[i].prompt_tokens, ',');
      p = put(p, batch[i].output_tokens, '\n');
      stream->drop(batch[i]);
    }
    out.write(text.data(), p - text.data());
    if (!out) break;
  }
  if (!out.flush()) throw EnvironmentError("cannot write the trace: the output failed (is the disk full?)");
}
}  // namespace stowage
