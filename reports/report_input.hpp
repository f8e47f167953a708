#pragma once
// Everything a report says, as plain data. The caller fills it from the resolved scenario and the finished runs;
// nothing in reports/ computes a result, it only words, tabulates and draws what is here.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/slo.hpp"
#include "sim/result.hpp"

namespace stowage {

/// How well the step costs are known; stands as a badge on every report.
enum class Evidence : std::uint8_t {
  measured,    // a profile taken on this GPU and model shape
  scaled,      // a profile stretched to another shape or GPU
  published,   // a profile from others' measurements, as they published them
  engine_log,  // coarse coefficients fitted to a serving engine's log
  roofline,    // spec-sheet arithmetic, never measured
  linear,      // coefficients the user gave
};
[[nodiscard]] std::string_view evidence_name(Evidence evidence);

/// The same scenario with one thing changed: what became of each run. nullopt = it could not be run.
struct WhatIf {
  struct Outcome {
    double ttft_p99_ns = 0, requests_per_s = 0;
  };
  using Outcomes = std::vector<std::optional<Outcome>>;  // one a run, in the order of ReportInput::runs
  std::string what;                                      // "arrival rate"
  std::string low_text, high_text;                       // "-20 %", "+20 %"
  std::string low_set, high_set;                         // what to type to have it, where there is a way
  Outcomes low, high;
  std::string note;  // stands instead: "not modelled"
};
struct Sensitivity {
  std::string basis;  // of all these runs, the unchanged one included: "the first 50,000 requests"
  WhatIf::Outcomes base;
  std::vector<WhatIf> changes;
};

/// One line of a card: {"KV bytes per token", "131,072 B (2 x 32 layers x 8 heads x 128 x 2 B)"}.
struct Fact {
  std::string label, value;
};
/// A box of facts: "Model", "Workload", "Hardware", in the order given.
struct Card {
  std::string title;
  std::vector<Fact> facts;
};

/// One share of a GPU's memory, in the order drawn. They sum to the GPU's memory.
struct BudgetPart {
  std::string label;  // "weights", "activations", "overhead", "KV pool", "not used (utilization 0.9)"
  std::int64_t bytes = 0;
  bool is_kv_pool = false;
};

struct ReportInput {
  /// What the page is of: "run", whose numbers are `runs`, or another command, whose numbers are in `data` as that
  /// command prints them: "plan" (plan.json), "sweep", "compare".
  std::string kind = "run";
  nlohmann::ordered_json data = nullptr;

  std::string title;                                                   // the scenario's name, as the user wrote it
  std::string command;                                                 // exact command line that made this
  std::string version;                                                 // "stowage 0.1.0"
  std::string seed;                                                    // as text; empty = nothing random
  std::string workload_name;                                           // "azure-conv-2023.csv x 4"
  std::string resolved_yaml;                                           // resolved.yaml
  nlohmann::ordered_json scenario = nlohmann::ordered_json::object();  // the same, as JSON

  std::vector<RunResult> runs;    // one per manager, in scenario order
  std::vector<std::string> folders;  // of each run, when several folders share the page; else empty
  std::vector<LatencyLimit> slo;  // may be empty

  std::vector<BudgetPart> budget;  // of one GPU; empty when the pool was given outright
  std::string kv_line;             // in vLLM's words: "KV cache 227,840 tokens; maximum concurrency for 8,192 ..."
  std::string ledger;              // "read 19,366 rows = kept 19,366 + dropped 0"; empty for inline requests

  std::vector<Card> cards;  // workload, model, hardware
  std::string cost_source;  // "roofline of h100-sxm-80gb", "profile h100-sxm-80gb (2026-01-12, MAPE 1.3 %)"
  Evidence evidence = Evidence::linear;
  std::optional<Sensitivity> sensitivity;
  std::vector<std::string> notes;  // warnings and limits, each one sentence
};
}  // namespace stowage
