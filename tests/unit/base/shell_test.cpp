// Words quoted for a shell: bash must hand every one of them over as it was.
#include "base/shell.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <random>
#include <string>

#include "base/error.hpp"

namespace stowage {
namespace {
/// What bash makes of the command: the bytes that its words are, each ended by a zero byte.
std::string words_in_bash(const std::vector<std::string>& words) {
  const std::string script = testing::TempDir() + "shell_test_" + std::to_string(::getpid()) + ".sh";
  std::FILE* const file = std::fopen(script.c_str(), "wb");
  const std::string text = "printf '%s\\0' " + shell_command(words);
  std::fwrite(text.data(), 1, text.size(), file);
  std::fclose(file);
  std::FILE* const bash = ::popen(("bash '" + script + "'").c_str(), "r");  // NOLINT(cert-env33-c)
  std::string out;
  std::array<char, 4096> piece{};
  while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), bash)) out.append(piece.data(), n);
  EXPECT_EQ(::pclose(bash), 0) << text;
  std::remove(script.c_str());
  return out;
}

TEST(Shell, words_are_bare_only_where_that_is_safe) {
  EXPECT_EQ(shell_word("a/b-c_1.yaml"), "a/b-c_1.yaml");
  EXPECT_EQ(shell_word("workload.rate_scale=1..4:2"), "workload.rate_scale=1..4:2");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("=ls"), "'=ls'");  // zsh would put the path of ls
  EXPECT_EQ(shell_word("a\nb"), "$'a\\012b'");
  EXPECT_EQ(shell_word("\x1b[2J'"), "$'\\033[2J\\047'");
  EXPECT_EQ(shell_word("\xff" "1"), "$'\\3771'");
  EXPECT_EQ(shell_word("grün"), "'grün'");
}

TEST(Shell, bash_hands_every_word_over_as_it_was) {
  const std::vector<std::string> attacks = {
      "",        " ",         "$(touch x)", "`id`",     "\"",       "'",          "''",        "\\",       "\\\\n",
      "a b",     "{1}",       "{}",         "{#}",      "{= $_ =}", "*",          "?",         "[a-z]",    "~",
      "~root",   "#x",        "!!",         "!x",       "&",        ";",          "|",         ">x",       "<x",
      "(x)",     "$HOME",     "${x:-y}",    "%1",       "-n",       "--",         "a=b",       "=ls",      "\n",
      "a\nb",    "\r",        "\t",         "\x1b[31m", "\x7f",     "\x01" "1",   "\xff\xfe",  "\xc2\x9b", "é",
      "'\n'",    "$'x'",      "\\'",        "'\\''",    "a\\",      "{a,b}",      "x\n#SBATCH --wrap=id\n"};
  std::string expected;
  for (const auto& word : attacks) expected += word + '\0';
  EXPECT_EQ(words_in_bash(attacks), expected);
}

TEST(Shell, bash_hands_any_bytes_over) {
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same words every time
  std::vector<std::string> words(500);
  std::string expected;
  for (auto& word : words) {
    for (std::size_t n = random() % 20; n > 0; --n) word += static_cast<char>(1 + random() % 255);
    expected += word + '\0';
  }
  EXPECT_EQ(words_in_bash(words), expected);
}

TEST(Shell, control_characters_are_refused_in_scripts) {
  for (const char c : {'\n', '\r', '\x1b', '\x01', '\x7f'}) {
    try {
      refuse_control_characters(std::string("a") + c, "-o");
      ADD_FAILURE() << static_cast<int>(c);
    } catch (const InputError& e) { EXPECT_EQ(std::string(e.what()).find(c), std::string::npos); }
  }
  refuse_control_characters("a'b é $(x)", "-o");
}
}  // namespace
}  // namespace stowage
