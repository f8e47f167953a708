#pragma once
// Which files a thread reads while it does something: so that what comes of them can be told from what comes of others.
#include <string>
#include <vector>

namespace stowage {

/// Every file that this thread opens to read its content, from construction to destruction: in order, each once. Of
/// logs inside each other the inner one sees a file, and hands it to the outer one at its end.
class ReadLog {
 public:
  ReadLog();
  ~ReadLog();
  ReadLog(const ReadLog&) = delete;
  ReadLog& operator=(const ReadLog&) = delete;
  [[nodiscard]] const std::vector<std::string>& paths() const { return paths_; }

  /// Called by whatever opens files: ConfigDocument::load, FileBytes.
  static void note(const std::string& path);

 private:
  void add(const std::string& path);
  ReadLog* outer_;
  std::vector<std::string> paths_;
};
}  // namespace stowage
