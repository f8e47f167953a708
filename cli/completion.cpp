// stowage completion bash|zsh|fish: made from the tables of commands and of keys, so it cannot lag behind.
#include <array>
#include <map>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/config.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "planner/study_keys.hpp"

namespace stowage::cli {
namespace {
/// "" -> "run check trace ...", "trace" -> "info convert synth", "trace info" -> "--format ...".
std::map<std::string, std::vector<std::string>> words_after() {
  std::map<std::string, std::vector<std::string>> out;
  for (const auto& command : command_table()) {
    const auto space = command.name.rfind(' ');
    const std::string parent = space == std::string::npos ? "" : command.name.substr(0, space);
    out[parent].push_back(space == std::string::npos ? command.name : command.name.substr(space + 1));
    for (const auto& option : command.options) out[command.name].push_back(option);
  }
  return out;
}

/// zsh runs the bash function through its own bashcompinit.
std::string bash(bool zsh) {
  std::string cases;
  for (const auto& [path, words] : words_after())
    cases += fmt::format("    '{}') words='{}' ;;\n", path, fmt::join(words, " "));
  return std::string(zsh ? "autoload -U +X bashcompinit && bashcompinit\n" : "") + R"(_stowage() {
  local current=${COMP_WORDS[COMP_CWORD]} path='' words=() i
  for ((i = 1; i < COMP_CWORD && i < 3; i++)); do
    [[ ${COMP_WORDS[i]} == -* ]] && break
    case "${COMP_WORDS[i]}" in
      info|convert|synth|show|list) path="$path ${COMP_WORDS[i]}" ;;
      *) [[ -n $path ]] && break; path=${COMP_WORDS[i]} ;;
    esac
  done
  case "$path" in
)" + cases +
         R"(  esac
  case "${COMP_WORDS[COMP_CWORD-1]}" in --set|--vary)
    compopt -o nospace 2>/dev/null
    words=')" + fmt::format("{}", fmt::join(keys::scenario_paths(), " ")) +
         R"('
    case "$path" in plan|sweep) words=')" + fmt::format("{}", fmt::join(keys::study_paths(), " ")) +
         R"(' ;; esac
    COMPREPLY=($(compgen -S = -W "$words" -- "$current"))
    return ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _stowage stowage
)";
}

std::string fish() {
  std::string out = "complete -c stowage -f\n";
  const auto paths = [&](std::string_view commands, std::string_view option, const std::vector<std::string>& known) {
    out += fmt::format("complete -c stowage -n '__fish_seen_subcommand_from {}' -l {} -x -a '{}='\n", commands, option,
                       fmt::join(known, "= "));
  };
  paths("run check validate", "set", keys::scenario_paths());
  for (const std::string_view option : {"set", "vary"}) paths("plan sweep", option, keys::study_paths());
  for (const auto& [path, words] : words_after()) {
    const std::string seen = path.substr(0, path.find(' '));
    for (const auto& word : words) {
      if (word.starts_with("--")) {
        out += fmt::format("complete -c stowage -n '__fish_seen_subcommand_from {}' -l {}\n", seen, word.substr(2));
      } else if (!word.starts_with('-')) {
        const std::string when = path.empty() ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + seen;
        out += fmt::format("complete -c stowage -n '{}' -a {}\n", when, word);
      }
    }
  }
  return out +
         "complete -c stowage -n '__fish_seen_subcommand_from run plan sweep compare report validate check trace "
         "calibrate' -F\n";
}
}  // namespace

Outcome completion(const Options& options) {
  static constexpr std::array<std::string_view, 3> shells = {"bash", "zsh", "fish"};
  const std::string& shell = options.inputs.front();
  if (shell == "bash" || shell == "zsh") return {bash(shell == "zsh")};
  if (shell == "fish") return {fish()};
  throw InputError({}, fmt::format("no completion for '{}'{} (known: bash, zsh, fish)", shell,
                                   did_you_mean(shell, shells)));
}
}  // namespace stowage::cli
