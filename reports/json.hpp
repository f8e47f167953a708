#pragma once
// The machine-readable result, schema "stowage.result/1" (docs/cli.md): times in seconds, memory in bytes,
// fractions of the KV pool 0..1. `stowage run --format json` and summary.json are this text.
#include <nlohmann/json.hpp>
#include <string>

#include "reports/report_input.hpp"

namespace stowage {

[[nodiscard]] nlohmann::ordered_json to_json(const ReportInput& input);
/// Indented by two, doubles in their shortest form that reads back the same, one final newline.
/// Invalid UTF-8 in names becomes U+FFFD; NaN and infinities become null.
[[nodiscard]] std::string to_json_text(const ReportInput& input);
}  // namespace stowage
