#pragma once
// Words for a shell. The only place that quotes: every command that is printed, saved or put into a script is made of
// these, so that bash hands over the same bytes that were meant.
#include <string>
#include <string_view>
#include <vector>

namespace stowage {

/// The word as bash reads it back, byte for byte: bare where nothing in it means anything to a shell, else in quotes.
/// Control characters and bytes that are no UTF-8 are written as escapes ($'\n'), so that the quoted word can be
/// printed and pasted.
[[nodiscard]] std::string shell_word(std::string_view word);

/// The words of a command, each quoted, with a blank between.
[[nodiscard]] std::string shell_command(const std::vector<std::string>& words);

/// Words for a script that programs run: throws InputError that names `what` where one holds a control character.
void refuse_control_characters(std::string_view word, std::string_view what);
}  // namespace stowage
