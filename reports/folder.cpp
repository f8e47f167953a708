#include "reports/folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.hpp"
#include "reports/csv.hpp"
#include "reports/folder_moves.hpp"
#include "reports/html.hpp"
#include "reports/json.hpp"
#include "reports/perfetto.hpp"
#include "reports/saved.hpp"

namespace stowage {
namespace fs = std::filesystem;
namespace {
/// What a command may leave in its folder; with --force, those not written again would speak of another result.
constexpr std::array<std::string_view, 12> result_names = {
    "report.html",   "summary.json", "requests.csv",        "iterations.csv", "memory.csv",  "resolved.yaml",
    "report.json",   "plan.json",    "trace.perfetto.json", "plan.csv",       "compare.json",
    "steps.csv"};
bool is_result(const fs::path& name) { return std::ranges::find(result_names, name.string()) != result_names.end(); }

fs::path without_slash(const fs::path& folder) {  // "out/" is "out"
  return !folder.has_filename() && folder.has_relative_path() ? folder.parent_path() : folder;
}

/// The folder it stands in, made when it is not there.
fs::path parent_of(const fs::path& folder) {
  if (fs::exists(folder) && !fs::is_directory(folder))
    throw InputError({folder.string(), 0, 0}, "results go to a folder, but this is a file; name another place");
  if (fs::is_symlink(folder) && !fs::exists(folder))
    throw InputError({folder.string(), 0, 0}, "this link leads nowhere; make its folder, or name another place");
  return fs::absolute(folder).parent_path();
}

fs::path without_links(const fs::path& folder) {
  const fs::path given = fs::absolute(folder);
  return fs::exists(given) ? fs::canonical(given) : fs::canonical(given.parent_path()) / given.filename();
}

/// Does a process stand in the folder whose place it would lose? Of others than this one we cannot know.
bool is_current(const fs::path& folder) {
  std::error_code error;
  const fs::path here = fs::current_path(error);
  return std::mismatch(folder.begin(), folder.end(), here.begin(), here.end()).first == folder.end();
}

/// Gives the new folder the old one's permissions and owner. False where that cannot be.
bool look_alike(const fs::path& fresh, const fs::path& old) {
  struct stat from {}, to {};
  if (::stat(old.c_str(), &from) != 0 || ::chmod(fresh.c_str(), from.st_mode & 07777U) != 0) return false;
  if (::stat(fresh.c_str(), &to) != 0) return false;
  if (from.st_uid == to.st_uid && from.st_gid == to.st_gid) return true;
  return ::chown(fresh.c_str(), from.st_uid, from.st_gid) == 0;
}

/// Said by file systems that cannot swap two folders, or not these two.
bool cannot_swap(int code) {
  return code == EINVAL || code == ENOSYS || code == EOPNOTSUPP || code == EXDEV || code == EBUSY || code == EPERM;
}
}  // namespace

MadeFolders::MadeFolders(const fs::path& folder) : clean_up_([this] { remove(); }) {
  const Uninterrupted gate;
  std::error_code error;
  for (fs::path p = folder; !p.empty() && !fs::exists(p, error); p = p.parent_path()) made_.push_back(p);
  fs::create_directories(folder, error);
  if (!error) return;
  remove();
  fail("cannot make the folder", folder, error.value());
}

void MadeFolders::remove() const {
  for (const fs::path& p : made_) ::rmdir(p.c_str());
}

MadeFolders::~MadeFolders() {
  const Uninterrupted gate;
  remove();
}

ResultFolder::ResultFolder(const fs::path& folder, Into into)
    : shown_(without_slash(folder)),
      into_(into),
      made_(parent_of(shown_)),
      target_(without_links(shown_)),
      workshop_(target_, shown_.string()) {
  const Uninterrupted gate;
  if (fs::exists(target_)) {
    finish_moves(target_);
    std::error_code error;
    if (workshop_.beside_target()) fs::remove_all(target_ / moves_name, error);
    fs::directory_iterator entry(target_, error), end;
    if (error) fail("cannot read the folder", shown_, error.value());
    if (into == Into::empty)
      for (; entry != end; ++entry)
        if (entry->path() != workshop_.place())
          throw InputError({shown_.string(), 0, 0}, "the folder already holds '" + entry->path().filename().string() +
                                                        "'; name another one, or replace its results with --force");
    if (::access(target_.c_str(), W_OK | X_OK) != 0) fail("cannot write to the folder", shown_, errno);
  }
  if (::mkdir(fresh().c_str(), 0777) != 0) fail("cannot write to the folder", shown_, errno);
}

OutputFile& ResultFolder::open(const std::string& name, std::size_t part) {
  const auto [slot, made] = files_.try_emplace({name, part});
  try {
    const fs::path path =
        part == 0 ? fresh() / name : workshop_.place() / (name + "." + std::to_string(part) + ".part");
    if (made) slot->second = std::make_unique<OutputFile>(path, shown_ / name, part > 0);
  } catch (...) {
    files_.erase(slot);
    throw;
  }
  return *slot->second;
}

void ResultFolder::write(const std::string& name, std::string_view text) { open(name).write(text); }

/// Everything that can run out of space comes before anything takes its place.
void ResultFolder::close_all() {
  std::vector<std::string> names;
  for (const auto& [key, file] : files_)
    if (names.empty() || names.back() != key.first) names.push_back(key.first);
  for (const std::string& name : names) {
    OutputFile& whole = open(name);
    for (auto part = files_.upper_bound({name, 0}); part != files_.end() && part->first.first == name; ++part) {
      part->second->close();
      whole.append(workshop_.place() / (name + "." + std::to_string(part->first.second) + ".part"));
    }
    whole.close();
  }
}

/// Can the new folder stand for the old one with nothing lost?
bool ResultFolder::replaceable() const {
  if (into_ == Into::ours || !workshop_.beside_target() || is_current(target_)) return false;
  for (const auto& entry : fs::directory_iterator(target_))
    if (!is_result(entry.path().filename()) || entry.is_symlink() || !entry.is_regular_file()) return false;
  return look_alike(fresh(), target_);
}

/// The new folder and the old one trade places. False where that cannot be.
bool ResultFolder::swap() {
  if (::renameat2(AT_FDCWD, fresh().c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
    if (cannot_swap(errno)) return false;
    fail("cannot write to the folder", shown_, errno);
  }
  // What another program put there a moment ago moves on; the rest goes with the workshop.
  for (const auto& entry : fs::directory_iterator(fresh()))
    if (const fs::path name = entry.path().filename(); !is_result(name))
      (void)::renameat2(AT_FDCWD, entry.path().c_str(), AT_FDCWD, (target_ / name).c_str(), RENAME_NOREPLACE);
  return true;
}

void ResultFolder::commit() {
  close_all();
  FolderMoves moves;
  for (const auto& [key, file] : files_)
    if (key.second == 0) moves.fresh.push_back(key.first);
  files_.clear();
  const Uninterrupted gate;
  if (!fs::exists(target_)) {
    if (::rename(fresh().c_str(), target_.c_str()) != 0) fail("cannot make the folder", shown_, errno);
    return;
  }
  if (replaceable() && swap()) return;
  if (into_ == Into::ours && moves.fresh.size() == 1) {  // is one step anyway
    const std::string& name = moves.fresh.front();
    if (::rename((fresh() / name).c_str(), (target_ / name).c_str()) != 0) fail("cannot write", shown_ / name, errno);
    return;
  }
  if (into_ != Into::ours)
    for (const auto name : result_names)
      if (std::ranges::find(moves.fresh, name) == moves.fresh.end() && fs::exists(fs::symlink_status(target_ / name)))
        moves.gone.emplace_back(name);
  move_in(target_, fresh(), moves);
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
