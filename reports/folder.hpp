#pragma once
// The result folder: the old result until commit(), then the new one, for whoever looks in between, and whenever the
// program is killed. Everything is written in a workshop beside the folder, which then takes the folder's place in one
// step. A folder that cannot be swapped (it holds other files too, is a mount point, the current folder, or its file
// system cannot) gets its files one by one under a marker that result_path() honours (reports/folder_moves.hpp).
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clean_up.hpp"
#include "reports/output_file.hpp"
#include "reports/report_input.hpp"
#include "reports/workshop.hpp"

namespace stowage {

/// What may be in the folder before.
enum class Into : std::uint8_t {
  empty,   // nothing
  forced,  // a result, which the new one replaces whole, and files of others, which stay
  ours,    // what this command keeps there; only files written again are replaced
};

/// Folders that were not there, made when this is; what is still empty at the end goes again.
class MadeFolders {
 public:
  /// Throws EnvironmentError.
  explicit MadeFolders(const std::filesystem::path& folder);
  ~MadeFolders();
  MadeFolders(const MadeFolders&) = delete;
  MadeFolders& operator=(const MadeFolders&) = delete;

 private:
  void remove() const;
  std::vector<std::filesystem::path> made_;  // innermost first
  CleanUp clean_up_;
};

class ResultFolder {
 public:
  /// Throws InputError when it is a file, holds what it must not, or another command is writing it; EnvironmentError
  /// when it cannot be written. Call before the simulation, so that the refusal comes at once.
  ResultFolder(const std::filesystem::path& folder, Into into);
  ResultFolder(const std::filesystem::path& folder, bool force)
      : ResultFolder(folder, force ? Into::forced : Into::empty) {}

  /// A file of the folder, to be written piece by piece. Runs that go on at the same time write parts 0, 1, 2, ... of
  /// one file (each from one thread; open them beforehand); commit() joins them in order. The reference stays valid.
  [[nodiscard]] OutputFile& open(const std::string& name, std::size_t part = 0);
  void write(const std::string& name, std::string_view text);
  /// Puts everything in its place. Throws EnvironmentError: then the folder is as it was.
  void commit();

 private:
  [[nodiscard]] std::filesystem::path fresh() const { return workshop_.place() / "new"; }
  [[nodiscard]] bool replaceable() const;
  void close_all();
  bool swap();

  std::filesystem::path shown_;
  Into into_;
  MadeFolders made_;
  std::filesystem::path target_;
  Workshop workshop_;
  std::map<std::pair<std::string, std::size_t>, std::unique_ptr<OutputFile>> files_;
};

/// Writes report.html, summary.json, memory.csv and resolved.yaml. The caller opened requests.csv (and iterations.csv)
/// itself before the runs, and calls commit() afterwards.
void write_report(ResultFolder& folder, const ReportInput& input);
/// The page of any command: report.html, report.json and resolved.yaml. The caller writes the data beside them.
void write_page(ResultFolder& folder, const ReportInput& input);
}  // namespace stowage
