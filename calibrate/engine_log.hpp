#pragma once
// Coarse step prices from a serving engine's own log of per-request times, for users who cannot run gpu_probe.
#include <string>
#include <string_view>

#include "models/cost/profile.hpp"

namespace stowage {

/// A step takes base + per_prefill_token x P + per_decode_seq x B + per_kv_token x S (docs/cli.md, cost: linear).
struct EngineLogFit {
  StepCost::Linear linear;
  PartError fitted, held_back;  // of a request's time from its first to its last token; every second request each
};

/// Reads JSON lines, one request each: prompt and output tokens (input_toks and output_toks, prompt_tokens and
/// completion_tokens, …) and the seconds at which it was scheduled, gave its first and its last token (scheduled_ts,
/// first_token_ts, last_token_ts). Between first and last token a request takes one step a token; what ran beside it
/// follows from the other requests' times. Throws InputError with file:line for what cannot be read, and when there
/// are too few requests.
[[nodiscard]] EngineLogFit fit_engine_log(std::string_view text, const std::string& path);
[[nodiscard]] EngineLogFit load_engine_log(const std::string& path);

/// The `cost:` section of a scenario, with where it comes from and how far it errs.
[[nodiscard]] std::string engine_log_yaml(const EngineLogFit& fit, const std::string& path);
}  // namespace stowage
