#include "base/shell.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/config.hpp"
#include "base/error.hpp"

namespace stowage {
namespace {
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
}  // namespace

std::string shell_word(std::string_view word) {
  // '~' and '=' act at the beginning of a word only (a home folder; a variable's value or, in zsh, a command's path).
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@%+";
  if (!word.empty() && word.front() != '=' && word.find_first_not_of(plain) == std::string_view::npos)
    return std::string(word);
  const bool printable = visible(word) == word;
  std::string out = printable ? "'" : "$'";
  if (printable) {
    for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  } else {
    // Three octal digits end by themselves: "\x1" before "b" would not.
    for (const char c : word) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte >= 0x7f || c == '\'' || c == '\\')
        out += fmt::format("\\{:03o}", byte);
      else
        out += c;
    }
  }
  return out + "'";
}

std::string shell_command(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + shell_word(word);
  return out;
}

void refuse_control_characters(std::string_view word, std::string_view what) {
  if (std::any_of(word.begin(), word.end(), is_control))
    throw InputError({}, fmt::format("{}: '{}' holds a control character, which no generated script may; rename it",
                                     what, shown(word)));
}
}  // namespace stowage
