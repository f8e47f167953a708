#pragma once
// Small studies for the planner's tests: linear prices, so that a probe takes milliseconds.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "planner/decision.hpp"

namespace stowage::testing {

/// A folder of its own that goes away.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "stowage-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] std::string file(const std::string& name, const std::string& text) const {
    const auto path = (path_ / name).string();
    std::ofstream(path) << text;
    return path;
  }
  [[nodiscard]] std::string path(const std::string& name = "") const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline Study study_of(const TempFolder& folder, const std::string& text, std::vector<std::string> sets = {}) {
  return load_study(folder.file("study.yaml", text), sets, {}, {});
}

/// The fields of a table of commas, quotes taken off.
inline std::vector<std::vector<std::string>> rows_of(const std::string& csv) {
  std::vector<std::vector<std::string>> out(1, {""});
  bool quoted = false;
  for (const char c : csv) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      out.back().emplace_back();
    else if (c == '\n' && !quoted)
      out.emplace_back(1, "");
    else
      out.back().back() += c;
  }
  out.pop_back();
  return out;
}
}  // namespace stowage::testing
