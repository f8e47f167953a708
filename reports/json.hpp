#pragma once
// The machine-readable result, schema "stowage.result/1" (docs/cli.md): times in seconds, memory in bytes,
// fractions of the KV pool 0..1. summary.json is this text; `stowage run --format json` prints it with the wall times.
#include <nlohmann/json.hpp>
#include <string>

#include "reports/report_input.hpp"

namespace stowage {

/// `wall_s` is the one figure that differs between two runs of one command: it is told on standard output and left out
/// of every file, so that two runs write the same bytes.
enum class WallTimes : bool { left_out, told };

[[nodiscard]] nlohmann::ordered_json to_json(const ReportInput& input, WallTimes wall = WallTimes::left_out);
/// Indented by two, doubles in their shortest form that reads back the same, one final newline.
/// Invalid UTF-8 in names becomes U+FFFD; NaN and infinities become null.
[[nodiscard]] std::string to_json_text(const ReportInput& input, WallTimes wall = WallTimes::left_out);
}  // namespace stowage
