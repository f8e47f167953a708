#include "reports/folder_moves.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include "reports/output_file.hpp"
#include "reports/workshop.hpp"

namespace stowage {
namespace fs = std::filesystem;
namespace {
fs::path place(const fs::path& folder) { return folder / moves_name; }
fs::path marker(const fs::path& folder) { return place(folder) / "files"; }

/// 0, or why not.
int moved(const fs::path& from, const fs::path& to) { return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno; }
void move(const fs::path& from, const fs::path& to, const fs::path& shown) {
  if (const int code = moved(from, to)) fail("cannot write", shown, code);
}
void make(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) fail("cannot write", folder, errno);
}
bool there(const fs::path& path) {
  struct stat facts {};
  return ::lstat(path.c_str(), &facts) == 0;
}

std::string text_of(const FolderMoves& moves) {
  std::string out;
  for (const auto& name : moves.fresh) out += "new " + name + "\n";
  for (const auto& name : moves.gone) out += "gone " + name + "\n";
  return out;
}
FolderMoves read_marker(const fs::path& folder) {
  FolderMoves out;
  std::ifstream in(marker(folder));
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("new ")) out.fresh.push_back(line.substr(4));
    if (line.starts_with("gone ")) out.gone.push_back(line.substr(5));
  }
  return out;
}
bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Moves that can be taken back.
class Steps {
 public:
  void move(const fs::path& from, const fs::path& to) {
    if (const int code = moved(from, to)) fail("cannot write", to, code);
    done_.emplace_back(from, to);
  }
  bool take_back() {
    for (; !done_.empty(); done_.pop_back())
      if (moved(done_.back().second, done_.back().first) != 0) return false;
    return true;
  }

 private:
  std::vector<std::pair<fs::path, fs::path>> done_;
};

void make_room(const fs::path& folder, const std::string& name, Steps& steps) {
  if (there(folder / name)) steps.move(folder / name, place(folder) / "old" / name);
}

/// The marker goes first: without it the rest has no meaning. A workshop keeps its lock, and with it the folder.
void clear(const fs::path& folder) {
  ::unlink(marker(folder).c_str());
  std::error_code ignored;
  for (const char* part : {"old", "new", "files.part"}) fs::remove_all(place(folder) / part, ignored);
  ::rmdir(place(folder).c_str());
}

/// Sets the marker: from here on the new result counts.
void announce(const fs::path& folder, const fs::path& from, const FolderMoves& moves) {
  const fs::path fresh = place(folder) / "new", part = place(folder) / "files.part";
  try {
    make(place(folder));
    if (from != fresh) move(from, fresh, folder);
    make(place(folder) / "old");
    OutputFile list(part, folder);
    list.write(text_of(moves));
    list.close();
    move(part, marker(folder), folder);
  } catch (const EnvironmentError&) {
    clear(folder);
    throw;
  }
}
}  // namespace

void move_in(const fs::path& folder, const fs::path& from, const FolderMoves& moves) {
  announce(folder, from, moves);
  Steps steps;
  try {
    for (const auto& name : moves.fresh) {
      make_room(folder, name, steps);
      steps.move(place(folder) / "new" / name, folder / name);
    }
    for (const auto& name : moves.gone) make_room(folder, name, steps);
  } catch (const EnvironmentError& error) {
    if (steps.take_back() && ::unlink(marker(folder).c_str()) == 0) {
      clear(folder);
      throw;
    }
    throw EnvironmentError(std::string(error.what()) + "; the new result is whole, but not all of it is in its place: "
                                                       "compare and report read it, the next command with this -o "
                                                       "ends the move");
  }
  clear(folder);
}

bool moves_pending(const fs::path& folder) { return there(marker(folder)); }

void finish_moves(const fs::path& folder) {
  if (!there(place(folder))) return;
  if (moves_pending(folder)) {
    const FolderMoves moves = read_marker(folder);
    for (const auto& name : moves.fresh)
      if (const fs::path fresh = place(folder) / "new" / name; there(fresh)) move(fresh, folder / name, folder / name);
    for (const auto& name : moves.gone)
      if (::unlink((folder / name).c_str()) != 0 && errno != ENOENT) fail("cannot remove", folder / name, errno);
  }
  clear(folder);
}

fs::path result_path(const fs::path& folder, const std::string& name) {
  if (!moves_pending(folder)) return folder / name;
  const FolderMoves moves = read_marker(folder);
  const fs::path fresh = place(folder) / "new" / name;
  return has(moves.gone, name) || (has(moves.fresh, name) && there(fresh)) ? fresh : folder / name;
}

FolderState folder_state(const fs::path& folder) {
  struct stat facts {};
  if (::stat(folder.empty() ? "." : folder.c_str(), &facts) != 0) return {};
  return {facts.st_dev, facts.st_ino, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec};
}
}  // namespace stowage
