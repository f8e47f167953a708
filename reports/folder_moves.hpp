#pragma once
// Several files put into a folder that cannot be swapped as a whole: one after the other, under a marker that makes
// them one step for whoever reads with result_path(). The marker outlives a killed command; the next one goes on.
//
//   out/.stowage/files    the marker: what is new here, and what is gone; while it is there the new result counts
//   out/.stowage/new      new files that are not in their place yet
//   out/.stowage/old      files that had to make room, until the end
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include "base/error.hpp"

namespace stowage {

inline constexpr std::string_view moves_name = ".stowage";

/// What becomes of a folder's files; those in neither list stay as they are.
struct FolderMoves {
  std::vector<std::string> fresh;  // names in the folder of new files
  std::vector<std::string> gone;
};

/// Moves the new files from the folder `from` (the same file system, or folder/.stowage/new itself) to `folder`.
/// Throws EnvironmentError: then the old files are all in their place again. When they cannot even be put back, the
/// marker stays, the new result counts, and the message says so.
void move_in(const std::filesystem::path& folder, const std::filesystem::path& from, const FolderMoves& moves);
[[nodiscard]] bool moves_pending(const std::filesystem::path& folder);
/// Ends what a killed move_in() began, and clears away what it left. Throws EnvironmentError.
void finish_moves(const std::filesystem::path& folder);

/// Where a file of a result is to be read, when it is to be read whole; for a single one (its folder is another
/// command's) the same as folder / name.
[[nodiscard]] std::filesystem::path result_path(const std::filesystem::path& folder, const std::string& name);

/// Changes whenever an entry of the folder comes, goes or is replaced.
using FolderState = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::int64_t>;
[[nodiscard]] FolderState folder_state(const std::filesystem::path& folder);

/// What `read` returns of the files of a folder, read again when the folder changed meanwhile: all of one result.
template <typename Read>
[[nodiscard]] auto read_unchanged(const std::filesystem::path& folder, const Read& read) {
  constexpr int attempts = 500;
  for (int i = 0;; ++i) {
    const FolderState before = folder_state(folder);
    try {
      auto result = read();
      if (folder_state(folder) == before) return result;
    } catch (const InputError&) {
      if (folder_state(folder) == before) throw;
    }
    if (i == attempts) throw EnvironmentError("'" + folder.string() + "' changes all the time; try again later");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}
}  // namespace stowage
