#pragma once
// The error types of the whole project. Libraries throw them; only cli/main.cpp catches, prints and exits.
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace stowage {

/// Text of a file or a name made safe for one line of a terminal: control characters and bytes that are no UTF-8 are
/// shown as \\x1b.
[[nodiscard]] std::string visible(std::string_view text);
/// Bytes of the UTF-8 character that a text begins with; 0 when it begins with none.
[[nodiscard]] std::size_t utf8_length(std::string_view text);

/// Where in the user's input a value came from. Lines and columns count from 1; 0 = unknown.
struct SourcePos {
  std::string file;
  int line = 0;
  int column = 0;
  /// "file:line:column", leaving out what is unknown.
  [[nodiscard]] std::string str() const;
};

/// One thing wrong with the input: what, and how to mend it.
struct Problem {
  SourcePos at;
  std::string message;
  /// "file:line:column: error: message", escaped.
  [[nodiscard]] std::string str() const;
};

/// The user's input is wrong (scenario, trace, flags): exit code 2. Carries all problems found.
class InputError : public std::runtime_error {
 public:
  InputError(SourcePos at, const std::string& message);
  explicit InputError(std::vector<Problem> problems);
  [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }

 private:
  std::vector<Problem> problems_;
};

/// The input is sound but cannot be done: weights or one request do not fit, nothing meets the SLO. Exit code 4.
class InfeasibleError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The tool's surroundings failed (disk full, output folder in use, no GPU): exit code 1.
class EnvironmentError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

[[noreturn]] void assertion_failed(const char* expr, const char* file, int line);
}  // namespace stowage

/// Programmer error. On in every build type: a wrong answer is worse than a crash.
#define STOWAGE_ASSERT(expr) \
  ((expr) ? static_cast<void>(0) : ::stowage::assertion_failed(#expr, __FILE__, __LINE__))
