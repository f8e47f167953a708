#pragma once
// The one way to read a file of the user's: no further than a limit, whatever the name stands for (an endless device,
// a pipe), with the system's reason when it cannot be read. Traces are streamed instead (traces/file_bytes.hpp).
#include <cstddef>
#include <string>
#include <string_view>

namespace stowage {

/// The most that is read of a file of each kind; docs/cli.md states them.
inline constexpr std::size_t config_bytes_max = std::size_t{16} << 20;  // YAML, and a model's config.json
inline constexpr std::size_t whole_bytes_max = std::size_t{256} << 20;  // all else that is held whole: JSON, logs
inline constexpr std::size_t table_bytes_max = std::size_t{4} << 30;    // CSV, one JSON object a line, journals
inline constexpr std::size_t line_bytes_max = std::size_t{1} << 20;     // one line of such a table

/// The whole file. Throws InputError: it cannot be opened or read (the system's reason), is a folder, or holds more
/// than `bytes_max`.
[[nodiscard]] std::string read_file(const std::string& path, std::size_t bytes_max);

/// A file line by line, in little memory however long it is.
class LineReader {
 public:
  /// Throws as read_file does; `path` is for messages, too.
  explicit LineReader(std::string path);
  /// Lines of a text that is there already; it must outlive the reader.
  LineReader(std::string_view text, std::string path);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// The next line without its end ("\n" or "\r\n"), valid until the next call; false at the end. Throws InputError
  /// when a line is longer than line_bytes_max or the file longer than table_bytes_max.
  bool next(std::string_view& line);
  [[nodiscard]] int number() const { return number_; }  // of the line given last; the first is 1
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  bool fill();  // false at the end of the file

  std::string path_;
  int fd_ = -1;
  std::string buffer_;
  std::string_view rest_;  // of the buffer or the text
  std::size_t read_ = 0;
  int number_ = 0;
};
}  // namespace stowage
