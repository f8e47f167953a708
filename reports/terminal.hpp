#pragma once
// The summary `stowage run` prints: at most 40 lines of at most 100 columns, managers side by side.
#include <string>

#include "reports/report_input.hpp"

namespace stowage {

struct TerminalOptions {
  bool colour = false;  // ANSI colours; the caller asks the terminal and NO_COLOR
};
/// Plain UTF-8 text, each line ended by a newline. Control characters in user text are replaced.
[[nodiscard]] std::string to_terminal(const ReportInput& input, const TerminalOptions& options = {});
}  // namespace stowage
