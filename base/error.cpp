#include "base/error.hpp"

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

std::string SourcePos::str() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line);
  if (line > 0 && column > 0) out += ":" + std::to_string(column);
  return out;
}

std::string Problem::str() const {
  const std::string where = at.str();
  return (where.empty() ? "" : where + ": ") + "error: " + message;
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
