#pragma once
// The error types of the whole project. Libraries throw them; only cli/main.cpp catches, prints and exits.
#include <stdexcept>
#include <string>
#include <vector>

namespace stowage {

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
  /// "file:line:column: error: message"
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
