#pragma once
// One function a subcommand. They return what to say; main.cpp alone prints it and exits. Errors are exceptions.
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "cli/options.hpp"

namespace stowage::cli {

/// The exit codes of docs/cli.md.
enum ExitCode : int {
  ok = 0,
  failed = 1,        // the tool or its surroundings
  bad_input = 2,     // usage, scenario, trace
  slo_not_met = 3,   // with --assert-slo
  infeasible = 4,    // weights or one request do not fit; nothing meets the SLO
  partial = 5,       // a sweep with points missing
};

struct Outcome {
  std::string text = {};  // the result, for stdout
  int code = ok;
  std::function<void(std::ostream&)> write = {};  // instead of `text`, for results too large to hold
  std::vector<std::string> complaints = {};  // lines for stderr, after the result: why `code` is not 0
};

[[nodiscard]] Outcome run_scenario(const Options& options);
[[nodiscard]] Outcome make_report(const Options& options);
[[nodiscard]] Outcome plan_command(const Options& options);
[[nodiscard]] Outcome compare_command(const Options& options);
[[nodiscard]] Outcome sweep_command(const Options& options);
[[nodiscard]] Outcome validate_command(const Options& options);
[[nodiscard]] Outcome check_files(const Options& options);
[[nodiscard]] Outcome fit_command(const Options& options);
[[nodiscard]] Outcome trace_info_command(const Options& options);
[[nodiscard]] Outcome trace_convert(const Options& options);
[[nodiscard]] Outcome trace_synth(const Options& options);
[[nodiscard]] Outcome model_show(const Options& options);
[[nodiscard]] Outcome model_graph(const Options& options);  // model show --graph
[[nodiscard]] Outcome model_list(const Options& options);
[[nodiscard]] Outcome hardware_show(const Options& options);
[[nodiscard]] Outcome hardware_list(const Options& options);
[[nodiscard]] Outcome calibrate_command(const Options& options);
[[nodiscard]] Outcome schema_command(const Options& options);
[[nodiscard]] Outcome completion(const Options& options);
}  // namespace stowage::cli
