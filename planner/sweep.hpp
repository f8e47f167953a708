#pragma once
// Every point of a space simulated to its end: one record a point, the same text for any number of threads, any
// sharding and any machine.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/inputs.hpp"
#include "planner/study.hpp"
#include "scenario/cache.hpp"
#include "sim/result.hpp"

namespace stowage {

/// A part of a sweep: the points whose number leaves `index - 1` when divided by `count`. "3/20": index from 1.
struct Shard {
  std::uint64_t index = 1, count = 1;
  [[nodiscard]] bool owns(std::uint64_t point) const { return point % count == index - 1; }
  [[nodiscard]] bool whole() const { return count == 1; }
};
/// Throws InputError.
[[nodiscard]] Shard parse_shard(std::string_view text);

class Sweep {
 public:
  /// Reads every value of every axis, so that what is wrong is said at once, and every file that a point reads. Throws
  /// InputError. `engine` names the build, which a journal must not mix.
  Sweep(Study study, std::string engine);

  [[nodiscard]] const Study& study() const { return study_; }
  [[nodiscard]] const Space& space() const { return space_; }
  /// What the records depend on: scenario, space, version, and the bytes of `inputs`.
  [[nodiscard]] const std::string& digest() const { return digest_; }
  /// What any point reads, in the order of reading.
  [[nodiscard]] const std::vector<InputFile>& inputs() const { return inputs_; }
  /// The scenario, where the study names a file.
  [[nodiscard]] const std::optional<InputFile>& scenario_file() const { return scenario_; }
  /// Scenario::warnings of the points that were looked at, each once.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  /// Throws InputError, naming each input that is no longer what it was when the sweep was made.
  void check_inputs() const;

  /// {"point":17,"rows":[["paged-16","ok",1000,...]]}: a row a manager, null where nothing was measured, as of one that
  /// does not fit; a point where none does is one row with its reason. Safe from any
  /// thread.
  [[nodiscard]] std::string record(std::uint64_t point) const;

  /// "point", the axes' paths, and the columns of a row.
  [[nodiscard]] std::vector<std::string> columns() const;
  /// Throws InputError, at this line of this journal, unless the record is one of this sweep: its point in the space,
  /// rows of all columns with numbers where they belong.
  void check_record(std::string_view record, const std::string& journal, int line) const;
  /// The rows of a record as lines of CSV. Throws InputError when it is not one of this sweep.
  [[nodiscard]] std::string csv_rows(std::string_view record) const;

 private:
  [[nodiscard]] std::vector<InputFile> read_inputs();
  void find_warnings();

  Study study_;
  Space space_;
  std::vector<InputFile> inputs_;
  std::optional<InputFile> scenario_;
  std::vector<std::string> warnings_;
  std::string digest_;
  mutable ScenarioCache cache_;
};

/// Why no run of any record served a request: the note of the first; nothing when one did.
[[nodiscard]] std::optional<std::string> nobody_served(const std::vector<std::string>& records);
/// The point a record is of. Throws InputError.
[[nodiscard]] std::uint64_t record_point(std::string_view record);
}  // namespace stowage
