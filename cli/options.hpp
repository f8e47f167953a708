#pragma once
// What the command line said, as plain data: CLI11 stays in options.cpp, subcommands never see it.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stowage::cli {

struct Options {
  std::string command;              // "run", "trace info", ...; empty when `message` is all there is to say
  std::string message;              // the text of --help, --version or --licenses
  std::vector<std::string> inputs;  // positional arguments of the subcommand
  std::string command_line;         // as typed, for the report

  std::vector<std::string> set;     // --set a.b=v, in order
  std::optional<std::int64_t> seed; // stands for --set seed=N
  std::string output;               // -o: a folder for `run`, a file for `trace`; empty = none
  bool force = false;
  bool json = false;
  std::string format;               // besides text and json: "csv", "markdown"; else empty
  bool quiet = false;
  bool iterations = false, steps = false;
  bool assert_slo = false;
  bool sensitivity = false;
  int jobs = 0;                     // 0 = one a core

  // Of `calibrate`.
  std::string report, hardware, engine_log, vidur;
  // Of `validate`; `report` too.
  std::string profile, scenario;
  std::vector<std::string> engine_logs;

  // Of `sweep` and `plan`.
  bool commands = false;            // of `plan`: how to get each of the ten best
  std::vector<std::string> vary;    // --vary path=v1,v2
  std::string shard;                // --shard 3/20; empty = all of it
  bool merge = false;
  std::string engine = "local";     // local, slurm or parallel
  std::int64_t tasks = 0;           // of an engine beyond this process; 0 = by what a point takes

  // Of `trace`.
  double rate_scale = 1;
  std::uint64_t limit = 0, repeat = 1, count = 0;
  std::int64_t hash_block_size = 0;  // 0 = as the trace's format says

  // Of `fit` and `model show --graph`: option name without dashes -> as written.
  std::map<std::string, std::string> settings;
};

/// Throws InputError (bad usage) with "did you mean" for a mistyped command or option.
[[nodiscard]] Options parse_command_line(int argc, const char* const* argv);
/// The subcommands and the options of each, for shell completion: {"run", {"--set", "-o", ...}}.
struct CommandInfo {
  std::string name;
  std::vector<std::string> options;
};
[[nodiscard]] std::vector<CommandInfo> command_table();
}  // namespace stowage::cli
