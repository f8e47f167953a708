#pragma once
// What a sweep has done so far, on disk: one file a shard, a line a point, each with its own checksum, appended as the
// points end. A process killed at any byte leaves at most a torn last line, which the next one cuts off.
//
//   5f1c2a90 {"schema":"stowage.journal/2","sweep":"<digest>","points":1200,"shard":"3/20","files":[{"path","digest"}]}
//   0b77e1d4 {"point":2,"rows":[...]}
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/sweep.hpp"

namespace stowage {

/// "0b77e1d4 payload\n": CRC-32C of the payload, which holds no newline.
[[nodiscard]] std::string journal_line(std::string_view payload);

struct JournalContent {
  std::string header;                // payload of the first line; empty when the file has none that is whole
  std::vector<std::string> records;  // payloads, in the order of the file
  std::vector<int> lines;            // where each of them stands
  std::uint64_t good_bytes = 0;      // up to the end of the last whole line
  std::uint64_t torn_bytes = 0;      // behind it
  std::uint64_t bad_lines = 0;       // whole lines whose checksum is wrong: their points are simulated again
};
/// Throws EnvironmentError when the file cannot be read; an absent one is empty.
[[nodiscard]] JournalContent read_journal(const std::string& path);

/// The text of a whole journal with its records in the order of their points, which does not depend on threads. Nothing
/// when it is in that order already, or a point stands in it twice.
[[nodiscard]] std::optional<std::string> journal_in_order(const std::string& path);

/// The journal of one shard, open for appending; one process at a time.
class Journal {
 public:
  /// Makes the folder and the file, or takes up what an earlier process left. Throws InputError when the folder holds
  /// another sweep, or this one with other bytes of a file (which it names), or another process writes this shard;
  /// EnvironmentError on I/O.
  Journal(const std::string& folder, const Sweep& sweep, Shard shard);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// The points it holds already, ascending.
  [[nodiscard]] const std::vector<std::uint64_t>& done() const { return done_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// What was found and mended, as "journal-1-of-1: 17 torn bytes cut off"; empty when nothing.
  [[nodiscard]] const std::string& mended() const { return mended_; }
  /// Writes one record with one call, from any thread; it is in the kernel's hands on return (it survives kill -9; a
  /// power cut may take what was written since the last sync). Throws EnvironmentError ("No space left on device")
  /// and takes back what was half-written.
  void append(std::string_view record);
  void sync();

 private:
  std::string path_, mended_;
  int fd_ = -1;
  std::mutex mutex_;
  std::vector<std::uint64_t> done_;
  std::uint64_t size_ = 0, unsynced_ = 0;
};

/// All journals of a folder put together.
struct Merged {
  std::vector<std::string> records;         // by point; empty where there is none
  std::vector<std::uint64_t> holes;         // points without a record, ascending
  std::vector<std::string> contradictions;  // points with two records that differ, in words
  std::vector<std::string> notes;           // torn tails, damaged lines
  std::uint64_t journals = 0;
};
/// Throws InputError when there is no journal, or one of another sweep.
[[nodiscard]] Merged merge_journals(const std::string& folder, const Sweep& sweep);
/// The points that journals of other cuts of the sweep into parts hold, ascending: they need not be done again.
[[nodiscard]] std::vector<std::uint64_t> done_elsewhere(const std::string& folder, const Sweep& sweep, Shard shard);
/// "0, 7 to 12 and 40 more": the first few of a long list.
[[nodiscard]] std::string ranges_text(const std::vector<std::uint64_t>& points);
}  // namespace stowage
