#pragma once
// The result folder: files appear complete or not at all. Everything is written beside its final place under a
// hidden name and renamed by commit(); without a commit (an exception, Ctrl-C) the folder is as it was.
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reports/report_input.hpp"

namespace stowage {

/// A file being written through a 1 MiB buffer. Throws EnvironmentError with the system's reason ("No space left on
/// device").
class OutputFile {
 public:
  /// `continues`: a later part of a file, joined to the earlier ones; it gets no header.
  explicit OutputFile(std::filesystem::path path, bool continues = false);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view text);
  /// Room for `size` bytes (<= 64 KiB) in the buffer; what was used is then given to advance().
  [[nodiscard]] char* reserve(std::size_t size) {
    if (capacity - used_ < size) flush();
    return buffer_.get() + used_;
  }
  void advance(const char* end) { used_ = static_cast<std::size_t>(end - buffer_.get()); }
  /// Nothing written yet, and nothing stands before it.
  [[nodiscard]] bool wants_header() const { return !continues_ && flushed_ + used_ == 0; }
  void close();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  static constexpr std::size_t capacity = 1U << 20;
  void flush();

  std::filesystem::path path_;
  bool continues_;
  int fd_ = -1;
  std::unique_ptr<char[]> buffer_;
  std::size_t used_ = 0;
  std::uint64_t flushed_ = 0;
};

class ResultFolder {
 public:
  /// Makes the folder when it is not there. Throws InputError when it is a file, or holds anything and `force` is not
  /// set; EnvironmentError when it cannot be written. Call before the simulation, so that the refusal comes at once.
  ResultFolder(std::filesystem::path folder, bool force);
  ~ResultFolder();
  ResultFolder(const ResultFolder&) = delete;
  ResultFolder& operator=(const ResultFolder&) = delete;

  /// A file of the folder, to be written piece by piece. Runs that go on at the same time write parts 0, 1, 2, ... of
  /// one file (each from one thread; open them beforehand); commit() joins them in order. The reference stays valid.
  [[nodiscard]] OutputFile& open(const std::string& name, std::size_t part = 0);
  void write(const std::string& name, std::string_view text);
  /// Closes and renames everything. With `force`, result files of an earlier run that this one did not write go away.
  void commit();
  [[nodiscard]] const std::filesystem::path& path() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> made_;  // folders that were not there before, innermost first
  bool committed_ = false;
  std::map<std::pair<std::string, std::size_t>, std::unique_ptr<OutputFile>> files_;
};

/// Writes report.html, summary.json, memory.csv and resolved.yaml. The caller opened requests.csv (and iterations.csv)
/// itself before the runs, and calls commit() afterwards.
void write_report(ResultFolder& folder, const ReportInput& input);
/// The page of any command: report.html, report.json and resolved.yaml. The caller writes the data beside them.
void write_page(ResultFolder& folder, const ReportInput& input);
}  // namespace stowage
