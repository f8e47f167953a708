#include "reports/folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.hpp"
#include "reports/csv.hpp"
#include "reports/html.hpp"
#include "reports/json.hpp"
#include "reports/perfetto.hpp"
#include "reports/saved.hpp"

namespace stowage {
namespace fs = std::filesystem;
namespace {
/// What a command may leave in its folder; with --force, those not written again would speak of another result.
constexpr std::array<std::string_view, 11> result_names = {
    "report.html",   "summary.json", "requests.csv",        "iterations.csv", "memory.csv",  "resolved.yaml",
    "report.json",   "plan.json",    "trace.perfetto.json", "plan.csv",       "compare.json"};

[[noreturn]] void fail(const std::string& what, const fs::path& path, const std::string& reason) {
  throw EnvironmentError(what + " '" + path.string() + "': " + reason);
}
std::string reason(int code) { return std::generic_category().message(code); }

fs::path hidden(const fs::path& folder, const std::string& name, std::size_t part) {
  return folder / ("." + name + "." + std::to_string(::getpid()) + "." + std::to_string(part) + ".part");
}

/// Is this a part of a run that ended without leave (killed, power lost)? Whoever writes a part holds its lock.
bool abandoned(const fs::path& file) {
  const std::string name = file.filename().string();
  if (!name.starts_with(".") || !name.ends_with(".part")) return false;
  const auto ours = [&](std::string_view result) { return name.starts_with(fmt::format(".{}.", result)); };
  if (std::none_of(result_names.begin(), result_names.end(), ours)) return false;
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return false;
  const bool free = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
  ::close(fd);
  return free;
}

/// What such a run left behind goes; what was there before it stays, as it does when a run fails.
void clear_abandoned(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> gone;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (abandoned(entry->path())) gone.push_back(entry->path());
  for (const fs::path& path : gone) fs::remove(path, error);
}

void append(OutputFile& to, const fs::path& from) {
  const int fd = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("cannot read", from, reason(errno));
  std::vector<char> block(1U << 16);
  for (;;) {
    const ssize_t n = ::read(fd, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int code = errno;
      ::close(fd);
      if (n < 0) fail("cannot read", from, reason(code));
      return;
    }
    to.write({block.data(), static_cast<std::size_t>(n)});
  }
}
}  // namespace

OutputFile::OutputFile(fs::path path, bool continues)
    : path_(std::move(path)), continues_(continues), buffer_(new char[capacity]) {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) fail("cannot write", path_, reason(errno));
  (void)::flock(fd_, LOCK_EX | LOCK_NB);  // so that clear_abandoned() of another run leaves it alone
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}

void OutputFile::write(std::string_view text) {
  while (!text.empty()) {
    if (used_ == capacity) flush();
    const std::size_t n = std::min(text.size(), capacity - used_);
    std::memcpy(buffer_.get() + used_, text.data(), n);
    used_ += n;
    text.remove_prefix(n);
  }
}

void OutputFile::flush() {
  const char* at = buffer_.get();
  while (used_ > 0) {
    const ssize_t n = ::write(fd_, at, used_);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot write", path_, reason(errno));
    at += n;
    used_ -= static_cast<std::size_t>(n);
    flushed_ += static_cast<std::uint64_t>(n);
  }
}

void OutputFile::close() {
  if (fd_ < 0) return;
  flush();
  const int fd = fd_;
  fd_ = -1;
  if (::close(fd) != 0) fail("cannot write", path_, reason(errno));  // NFS reports a full disk only here
}

ResultFolder::ResultFolder(fs::path folder, bool force) : folder_(std::move(folder)) {
  std::error_code error;
  if (!folder_.has_filename() && folder_.has_relative_path()) folder_ = folder_.parent_path();  // "out/" is "out"
  if (fs::exists(folder_, error) && !fs::is_directory(folder_, error)) {
    throw InputError({folder_.string(), 0, 0}, "results go to a folder, but this is a file; name another place");
  }
  for (fs::path p = folder_; !p.empty() && !fs::exists(p, error); p = p.parent_path()) made_.push_back(p);
  fs::create_directories(folder_, error);
  if (error) fail("cannot make the folder", folder_, error.message());
  if (made_.empty()) clear_abandoned(folder_);
  if (made_.empty() && !force) {
    fs::directory_iterator entry(folder_, error);
    if (error) fail("cannot read the folder", folder_, error.message());
    if (entry != fs::directory_iterator{}) {
      throw InputError({folder_.string(), 0, 0}, "the folder already holds '" + entry->path().filename().string() +
                                                     "'; name another one, or replace its results with --force");
    }
  }
  if (::access(folder_.c_str(), W_OK | X_OK) != 0) fail("cannot write to the folder", folder_, reason(errno));
}

ResultFolder::~ResultFolder() {
  if (committed_) return;
  std::error_code ignored;
  for (const auto& [key, file] : files_) fs::remove(file->path(), ignored);
  for (const fs::path& p : made_) fs::remove(p, ignored);  // innermost first, and only what is empty again
}

OutputFile& ResultFolder::open(const std::string& name, std::size_t part) {
  auto& slot = files_[{name, part}];
  if (!slot) {
    try {
      slot = std::make_unique<OutputFile>(hidden(folder_, name, part), part > 0);
    } catch (...) {
      files_.erase({name, part});
      throw;
    }
  }
  return *slot;
}

void ResultFolder::write(const std::string& name, std::string_view text) { open(name).write(text); }

void ResultFolder::commit() {
  // Everything that can run out of space comes first; what is left is renaming.
  OutputFile* first = nullptr;
  std::string joined;
  for (auto& [key, file] : files_) {
    if (first != nullptr && key.first == joined) {
      file->close();
      append(*first, file->path());
    } else {
      first = file.get();
      joined = key.first;
    }
  }
  for (auto& [key, file] : files_) file->close();
  std::error_code error;
  std::string last;
  for (const auto& [key, file] : files_) {
    if (key.first == last) {
      fs::remove(file->path(), error);
      continue;
    }
    last = key.first;
    fs::rename(file->path(), folder_ / last, error);
    if (error) fail("cannot write", folder_ / last, error.message());
  }
  for (const auto name : result_names) {
    const auto written = files_.lower_bound({std::string(name), 0});
    if (written == files_.end() || written->first.first != name) fs::remove(folder_ / name, error);
  }
  committed_ = true;
  files_.clear();
}

void write_report(ResultFolder& folder, const ReportInput& input) {
  folder.write("summary.json", to_json_text(input));
  OutputFile& memory = folder.open("memory.csv");
  for (const RunResult& run : input.runs) write_memory_csv(memory, run);
  folder.write("trace.perfetto.json", to_perfetto(input));
  write_page(folder, input);
}

void write_page(ResultFolder& folder, const ReportInput& input) {
  if (!input.resolved_yaml.empty()) folder.write("resolved.yaml", input.resolved_yaml);
  folder.write("report.json", to_saved(input));
  folder.write("report.html", to_html(input));
}
}  // namespace stowage
