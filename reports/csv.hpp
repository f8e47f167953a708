#pragma once
// Streaming CSV: rows leave as the simulator produces them, so memory does not grow with the run. Units stand in the
// column names; times are whole nanoseconds. Integers go through std::to_chars into one big buffer.
#include <cstdint>
#include <string>
#include <string_view>

#include "reports/folder.hpp"
#include "sim/result.hpp"

namespace stowage {

/// requests.csv: manager,id,arrival_ns,prompt_tokens,output_tokens,preemptions,queue_ns,ttft_ns,tpot_ns,e2e_ns
/// in order of completion (of a fleet: on each replica). arrival_ns counts from the workload's origin, the rest from
/// the arrival; tpot_ns is empty for a request of one output token. Of a fleet `replica` follows `manager`; with a
/// front end client_arrival_ns,client_ttft_ns,client_e2e_ns stand at the end, and arrival_ns is that at the engine.
/// With prefix caching hit_tokens follows e2e_ns: of the prompt, in memory when the request was admitted first.
class RequestsCsv {
 public:
  /// Writes the header when the file is still empty and no later part of another. One writer per run; runs that go on
  /// at the same time each need a file part of their own (ResultFolder::open).
  RequestsCsv(OutputFile& file, std::string_view manager, bool fleet = false, bool frontend = false,
              bool prefixes = false);
  void write(const RequestRecord& record);

 private:
  OutputFile& file_;
  std::string prefix_;  // the manager's name, quoted when needed, and a comma
  bool fleet_, frontend_, prefixes_;
};

/// iterations.csv: manager,index,start_ns,stall_ns,step_ns,prefill_tokens,decode_seqs,decode_kv_tokens,running,waiting,
/// live_bytes,held_bytes,cached_bytes,external_bytes,free_bytes; of a fleet `replica` follows `manager`.
class IterationsCsv {
 public:
  IterationsCsv(OutputFile& file, std::string_view manager, bool fleet = false);
  void write(const IterationRecord& record);

 private:
  OutputFile& file_;
  std::string prefix_;
  bool fleet_;
};

/// steps.csv: what the scheduler decided, in the columns in which logs of vLLM are kept: step,schedule_us,scheduled_us,
/// update_us,updated_us,tokens,decodes,decode_context,running,waiting,free_blocks,preempted,prefills. Times in us from
/// the workload's origin; a step is scheduled in no time and updated when it ends. free_blocks in the manager's units;
/// preempted: ids; prefills: "id:computed+scheduled/known". Steps without tokens are those that only preempted.
/// `manager` stands first when there are several, then `replica` of a fleet.
class StepsCsv {
 public:
  StepsCsv(OutputFile& file, std::string_view manager, bool several, bool fleet = false);
  void write(const StepRecord& record);

 private:
  OutputFile& file_;
  std::string prefix_;
  bool fleet_;
  std::uint64_t index_ = 0;
};

/// memory.csv: manager,start_ns,end_ns,live_bytes,...,free_bytes,running,waiting; one row per bin of
/// RunResult::series, means over the bin, times from the first arrival.
void write_memory_csv(OutputFile& file, const RunResult& run);
}  // namespace stowage
