#pragma once
// The ways in for a value, and what comes of it: read by the functions that the
// commands use.
#include <map>
#include <string>
#include <vector>

namespace stowage::fuzz {

struct Verdict {
  enum class What { accepted, infeasible, refused, crashed } what = What::accepted;
  std::vector<std::string> lines;            // what is printed of a refusal
  std::map<std::string, std::string> shown;  // of what is accepted: path -> value, as resolved.yaml has it
  std::vector<std::string> cannot_be;        // values of axes whose point is a row
                                             // without figures: "space.memory[1]"
  [[nodiscard]] bool refused() const { return what == What::refused; }
  [[nodiscard]] std::string text() const;
};
using Words = std::vector<std::string>;

/// `stowage run FILE --set ...`, all but the simulation.
[[nodiscard]] Verdict by_run(const std::string& file, const Words& sets = {});
/// `stowage check` and `stowage sweep`, all but the simulation; nothing is
/// shown.
[[nodiscard]] Verdict by_sweep(const std::string& file, const Words& sets = {}, const Words& vary = {});
/// `stowage plan` up to its first simulation; nothing is shown.
[[nodiscard]] Verdict by_plan(const std::string& file);
/// A GPU's or a model's file: every key that the struct holds.
[[nodiscard]] Verdict by_hardware(const std::string& file);
[[nodiscard]] Verdict by_model(const std::string& file);
/// A study: its own keys, and of `space` and --vary each value as resolved.yaml
/// shows it beside the first values of the other axes:
/// "space.cluster.tensor[1]".
[[nodiscard]] Verdict by_study(const std::string& file, const Words& vary = {});
}  // namespace stowage::fuzz
