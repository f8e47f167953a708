#pragma once
// Logs of the scheduler of a real engine, step by step: a folder with run.json (what ran) and a folder a load with
// requests.csv and steps.csv (docs/cli.md says which columns).
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/engine.hpp"
#include "sim/run_config.hpp"

namespace stowage::engine_steps {

/// The engine that was logged: all that its scheduler's decisions depend on.
struct Setup {
  std::string release;  // as run.json has it: "0.24.0"
  std::string model, hardware;
  SchedulerConfig scheduler;
  std::int64_t blocks = 0;      // that can hold tokens: without vLLM's null block
  std::int64_t block_size = 0;  // tokens
  bool prefix_caching = false, nameless_first = false;
  double watermark = 0;
};

/// Tokens that one entry of `prefix_blocks` stands for.
inline constexpr std::int64_t prefix_block_tokens = 16;

struct LoggedRequest {
  std::uint64_t id = 0;
  std::int64_t arrival_ns = 0;  // the caller's call
  std::int32_t prompt_tokens = 0, output_tokens = 0;
  std::vector<std::uint64_t> prefix;  // what its prompt begins with, block by block
};

/// A row that is no decode. Requests are meant by their place in LoggedLoad::requests.
struct PromptRow {
  std::size_t request = 0;
  std::int64_t before = 0, tokens = 0, known = 0;  // computed or found; in this step; to be computed in all
  bool operator==(const PromptRow&) const = default;
};

/// One batch, logged or simulated.
struct LoggedStep {
  std::int64_t formed_ns = 0, scheduled_ns = 0, ended_ns = 0;  // begin and end of schedule(); begin of its update
  std::int64_t tokens = 0, decodes = 0, decode_context = 0, running = 0, waiting = 0, free_blocks = 0;
  std::vector<std::size_t> preempted;  // ascending
  std::vector<PromptRow> prompts;      // in scheduled order
};

struct LoggedLoad {
  std::string name;
  std::string steps_file;
  std::int64_t first_step = 0;  // its number in the log
  std::vector<LoggedRequest> requests;  // as listed
  std::vector<LoggedStep> steps;
};

struct LoggedRun {
  std::string folder;
  Setup setup;
  std::vector<LoggedLoad> loads;  // by name
};

/// `folder` holds run.json and loads, or is one load, and run.json lies beside or above it. All times are moved so that
/// a load's first event is at 0. Throws InputError with file, row and field.
[[nodiscard]] LoggedRun read_logged_run(const std::string& folder);

// --- For tests.
[[nodiscard]] Setup read_setup(std::string_view run_json, const std::string& path);
[[nodiscard]] LoggedLoad read_load(std::string_view requests_csv, std::string_view steps_csv,
                                   const std::string& folder);
}  // namespace stowage::engine_steps
