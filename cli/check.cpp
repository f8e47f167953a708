// stowage check FILE...: everything `run` would refuse, without simulating.
#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "base/config.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "models/cost/profile.hpp"
#include "models/hardware/hardware.hpp"
#include "models/llm/model.hpp"
#include "planner/sweep.hpp"
#include "reports/text.hpp"
#include "scenario/scenario.hpp"

namespace stowage::cli {
namespace {
enum class Kind : std::uint8_t { scenario, model, hardware, study, profile };

/// Told by the keys that only one kind of file has; in doubt it is a scenario, whose reader says what is missing.
Kind kind_of(const std::string& file) {
  if (file.ends_with(".json")) return Kind::model;
  const ConfigNode root = ConfigDocument::load(file).root();
  if (root.kind() != ConfigNode::Kind::map) return Kind::scenario;
  const auto has_any = [&](std::span<const std::string_view> keys) {
    return std::any_of(keys.begin(), keys.end(), [&](auto key) { return static_cast<bool>(root.get(key)); });
  };
  if (root.get("scenario")) return Kind::study;
  const ConfigNode schema = root.get("schema");
  if (schema.kind() == ConfigNode::Kind::scalar && schema.text().starts_with("stowage.profile/")) return Kind::profile;
  static constexpr std::array<std::string_view, 3> of_scenarios = {"model", "workload", "managers"};
  static constexpr std::array<std::string_view, 3> of_models = {"layers", "hidden", "kv_heads"};
  static constexpr std::array<std::string_view, 4> of_hardware = {"memory_bandwidth", "bf16", "sms", "driver_memory"};
  if (has_any(of_scenarios)) return Kind::scenario;
  if (has_any(of_models)) return Kind::model;
  return has_any(of_hardware) ? Kind::hardware : Kind::scenario;
}

std::string as_path(const std::string& file) { return file.find('/') == std::string::npos ? "./" + file : file; }

std::string checked(const std::string& file, const Options& options, Outcome& outcome) {
  switch (kind_of(file)) {
    case Kind::model: {
      const ModelSpec model = load_model(as_path(file));
      return fmt::format("{}: ok: model {}, {} parameters, {} of KV a token", file, model.name,
                         text::count(static_cast<std::uint64_t>(model.parameters())),
                         text::bytes(static_cast<double>(model.kv_bytes_per_token().count())));
    }
    case Kind::hardware: {
      const HardwareSpec gpu = load_hardware(as_path(file));
      return fmt::format("{}: ok: hardware {}, {}", file, gpu.name,
                         text::bytes(static_cast<double>(gpu.memory.count())));
    }
    case Kind::study: {
      const Study study = load_study(file, options.set, {}, {});
      const Space space(study.axes);
      warn(Sweep(study, "").warnings(), file, outcome);  // resolves points
      return fmt::format("{}: ok: study of {}", file, text::plural(space.size(), "point"));
    }
    case Kind::profile: {
      const Profile profile = load_profile(as_path(file));
      return fmt::format("{}: ok: profile of {}, {}", file, profile.name, profile.summary());
    }
    case Kind::scenario: break;
  }
  const Scenario scenario = load_scenario(file, options.set);
  warn(scenario.warnings, file, outcome);
  return fmt::format("{}: ok: {}, {}; {}", file, text::plural(scenario.runs.size(), "manager"),
                     workload_name(scenario), vllm_line(scenario.pool_tokens, scenario.scheduler.max_model_len));
}
}  // namespace

Outcome check_files(const Options& options) {
  // The faults of all files come out together: what is wrong with one says nothing about the next.
  Outcome outcome;
  std::vector<Problem> problems;
  for (const std::string& file : options.inputs) {
    try {
      outcome.text += visible(checked(file, options, outcome)) + "\n";
    } catch (const InputError& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
      outcome.code = bad_input;
    } catch (const InfeasibleError& error) {
      problems.push_back({{file, 0, 0}, error.what()});
      if (outcome.code == ok) outcome.code = infeasible;
    }
  }
  for (const Problem& problem : problems) outcome.complaints.push_back(problem.str());
  return outcome;
}
}  // namespace stowage::cli
