#include "base/error.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace stowage {
namespace {
std::string join(const std::vector<Problem>& problems) {
  std::string out;
  for (const auto& p : problems) {
    if (!out.empty()) out += '\n';
    out += p.str();
  }
  return out;
}
}  // namespace

std::string visible(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t n = utf8_length(text);
    const auto byte = static_cast<unsigned char>(text[0]);
    // C0, DEL, and the C1 controls U+0080..U+009F, which some terminals obey.
    const bool control = byte < 0x20 || byte == 0x7f || (byte == 0xc2 && n == 2 && (text[1] & 0xe0) == 0x80);
    for (const char c : text.substr(0, std::max<std::size_t>(n, 1))) {
      const auto shown = static_cast<unsigned char>(c);
      if (n == 0 || control)
        (((out += "\\x") += hex[shown >> 4]) += hex[shown & 15]);
      else
        out += c;
    }
    text.remove_prefix(std::max<std::size_t>(n, 1));
  }
  return out;
}

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t n = lead < 0x80 ? 1 : (lead >> 5) == 6 ? 2 : (lead >> 4) == 14 ? 3 : (lead >> 3) == 30 ? 4 : 0;
  if (n == 0 || n > text.size()) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((static_cast<unsigned char>(text[i]) >> 6) != 2) return 0;
  return n;
}

std::string SourcePos::str() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line);
  if (line > 0 && column > 0) out += ":" + std::to_string(column);
  return out;
}

std::string Problem::str() const {
  const std::string where = at.str();
  return visible((where.empty() ? "" : where + ": ") + "error: " + message);
}

InputError::InputError(SourcePos at, const std::string& message)
    : InputError(std::vector<Problem>{{std::move(at), message}}) {}

InputError::InputError(std::vector<Problem> problems)
    : std::runtime_error(join(problems)), problems_(std::move(problems)) {}

void assertion_failed(const char* expr, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: internal error: assertion '%s' failed; please report this as a bug\n", file, line, expr);
  std::abort();
}
}  // namespace stowage
