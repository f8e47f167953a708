// The probe stands alone, and the JSON library of the reader of Mooncake's traces cannot be linked into it.
#include <memory>
#include <string>

#include "base/error.hpp"
#include "traces/format.hpp"

namespace stowage {
namespace {
bool matches(std::string_view first_line) {
  return first_line.starts_with('{') && first_line.find("\"hash_ids\"") != std::string_view::npos;
}
std::unique_ptr<RowReader> open(std::string_view, const std::string& file, std::int64_t) {
  throw InputError({file}, "a replay does not read Mooncake's traces; make a CSV of it with 'stowage trace convert'");
}
}  // namespace

constinit const TraceFormat mooncake_format = {
    "mooncake", "Mooncake's traces, which a replay does not read", R"({"timestamp": ms, ..., "hash_ids": [...]})",
    matches,    open,
    512};
}  // namespace stowage
