// Files are read to a limit, whatever their names stand for.
#include "base/read_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "base/error.hpp"

namespace stowage {
namespace {
std::string message(const std::function<void()>& read) {
  try {
    read();
  } catch (const InputError& e) { return e.what(); }
  return "";
}

struct File {
  std::string path = testing::TempDir() + "read_file_test";
  explicit File(const std::string& text = "") { std::ofstream(path, std::ios::binary) << text; }
  ~File() { std::filesystem::remove(path); }
};

std::vector<std::string> lines(LineReader& reader) {
  std::vector<std::string> out;
  for (std::string_view line; reader.next(line);) out.emplace_back(line);
  return out;
}

TEST(ReadFile, gives_all_bytes_up_to_the_limit) {
  const std::string text = std::string("a\0b", 3) + std::string(200'000, 'x');
  const File file(text);
  EXPECT_EQ(read_file(file.path, text.size()), text);
  EXPECT_NE(message([&] { (void)read_file(file.path, text.size() - 1); }).find("the most that is read"),
            std::string::npos);
  EXPECT_EQ(read_file("/dev/null", 10), "");
}

TEST(ReadFile, says_why_it_cannot) {
  EXPECT_EQ(message([] { (void)read_file("/dev/zero", std::size_t{1} << 20); }),
            "/dev/zero: error: holds more than 1 MiB, the most that is read of such a file; is this the right one?");
  EXPECT_EQ(message([] { (void)read_file("no\x1b/such", 1); }),
            "no\\x1b/such: error: cannot be opened: No such file or directory; check the path");
  EXPECT_EQ(message([] { (void)read_file("/", 1); }), "/: error: is a folder, a file was expected; check the path");
  EXPECT_EQ(message([] { LineReader("/"); }), "/: error: is a folder, a file was expected; check the path");
}

TEST(ReadFile, an_endless_pipe_is_left_at_the_limit) {
  const std::string path = testing::TempDir() + "read_file_test_pipe";
  std::filesystem::remove(path);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::signal(SIGPIPE, SIG_IGN);
  std::thread writer([&] {
    std::ofstream out(path);
    while (out << "yes yes yes\n") {}
  });
  EXPECT_NE(message([&] { (void)read_file(path, std::size_t{1} << 20); }).find("holds more than 1 MiB"),
            std::string::npos);
  writer.join();
  std::filesystem::remove(path);
}

TEST(LineReader, gives_the_same_lines_from_a_file_and_a_text) {
  std::string text = "\nfirst\r\n\n";
  for (int i = 0; i < 5000; ++i) text += std::string(static_cast<std::size_t>(i % 97), 'x') + "\n";
  text += std::string(300'000, 'y') + "\nlast";
  std::vector<std::string> expected;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    expected.push_back(line);
    at = end + 1;
  }
  const File file(text);
  LineReader from_file(file.path), from_text(text, "t");
  EXPECT_EQ(lines(from_file), expected);
  EXPECT_EQ(lines(from_text), expected);
  EXPECT_EQ(from_file.number(), static_cast<int>(expected.size()));
  const File empty;
  LineReader none(empty.path);
  EXPECT_TRUE(lines(none).empty());
}

TEST(LineReader, refuses_a_line_without_an_end) {
  LineReader zeros("/dev/zero");
  std::string_view line;
  EXPECT_EQ(message([&] { (void)zeros.next(line); }),
            "/dev/zero:1: error: a line of more than 1 MiB; is this the right file?");
  const std::string longest(line_bytes_max, 'x'), longer = "a\n" + longest + "x";
  LineReader good(longest, "t");
  EXPECT_TRUE(good.next(line));
  EXPECT_EQ(line.size(), line_bytes_max);
  LineReader bad(longer, "t");
  EXPECT_TRUE(bad.next(line));
  EXPECT_EQ(message([&] { (void)bad.next(line); }), "t:2: error: a line of more than 1 MiB; is this the right file?");
}

TEST(Visible, nothing_can_move_a_cursor) {
  EXPECT_EQ(visible("a\nb\x1b[2J\x7f"), "a\\x0ab\\x1b[2J\\x7f");
  EXPECT_EQ(visible("gr\xc3\xbcn \xe2\x80\xa6"), "gr\xc3\xbcn \xe2\x80\xa6");
  EXPECT_EQ(visible("\xc2\x9b" "2J"), "\\xc2\\x9b2J");  // C1: some terminals take it for ESC [
  EXPECT_EQ(visible("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(visible(visible("\x01\x80")), visible("\x01\x80"));
  EXPECT_EQ((Problem{{"a\nb", 1, 2}, "x\ty"}).str(), "a\\x0ab:1:2: error: x\\x09y");
}
}  // namespace
}  // namespace stowage
