#include "reports/csv.hpp"

#include <fmt/format.h>

#include <charconv>
#include <concepts>
#include <vector>

namespace stowage {
namespace {
constexpr std::size_t row_bytes = 512;  // 16 fields of at most 24 characters and a comma fit with room to spare

/// Fields of one row, written straight into the file's buffer.
class Row {
 public:
  Row(OutputFile& file, std::string_view prefix)
      : file_((file.write(prefix), file)), at_(file.reserve(row_bytes)), end_(at_ + row_bytes) {}
  template <std::integral I>
  Row& operator<<(I value) {
    at_ = std::to_chars(at_, end_, value).ptr;
    *at_++ = ',';
    return *this;
  }
  Row& operator<<(double value) {
    // A value may be shortest in hundreds of digits without an exponent; such sizes are no memory and no time.
    const bool plain = value == 0 || (value > 1e-6 && value < 1e18);
    at_ = (plain ? std::to_chars(at_, end_, value, std::chars_format::fixed) : std::to_chars(at_, end_, value)).ptr;
    *at_++ = ',';
    return *this;
  }
  void empty() { *at_++ = ','; }
  void end() {
    at_[-1] = '\n';
    file_.advance(at_);
  }

 private:
  OutputFile& file_;
  char* at_;
  char* end_;
};

/// RFC 4180: quoted when the text holds a comma, a quote or a line break.
std::string prefix(std::string_view manager) {
  if (manager.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(manager) + ",";
  std::string out = "\"";
  for (const char c : manager) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\",";
}

void header(OutputFile& file, std::string_view columns) {
  if (file.wants_header()) file.write(columns);
}
}  // namespace

RequestsCsv::RequestsCsv(OutputFile& file, std::string_view manager, bool fleet, bool frontend, bool prefixes)
    : file_(file), prefix_(prefix(manager)), fleet_(fleet), frontend_(frontend), prefixes_(prefixes) {
  std::string columns = fleet ? "manager,replica," : "manager,";
  columns += "id,arrival_ns,prompt_tokens,output_tokens,preemptions,queue_ns,ttft_ns,tpot_ns,e2e_ns";
  if (prefixes) columns += ",hit_tokens";
  if (frontend) columns += ",client_arrival_ns,client_ttft_ns,client_e2e_ns";
  header(file, columns + "\n");
}

void RequestsCsv::write(const RequestRecord& r) {
  Row row(file_, prefix_);
  if (fleet_) row << r.replica;
  row << r.id << r.arrival_ns << r.prompt_tokens << r.output_tokens << r.preemptions
      << r.first_scheduled_ns - r.arrival_ns << r.first_token_ns - r.arrival_ns;
  if (r.output_tokens > 1) {
    row << static_cast<double>(r.finished_ns - r.first_token_ns) / static_cast<double>(r.output_tokens - 1);
  } else {
    row.empty();
  }
  row << r.finished_ns - r.arrival_ns;
  if (prefixes_) row << r.hit_tokens;
  if (frontend_)
    row << r.client_arrival_ns << r.client_first_token_ns - r.client_arrival_ns
        << r.client_finished_ns - r.client_arrival_ns;
  row.end();
}

IterationsCsv::IterationsCsv(OutputFile& file, std::string_view manager, bool fleet)
    : file_(file), prefix_(prefix(manager)), fleet_(fleet) {
  header(file, std::string(fleet ? "manager,replica," : "manager,") +
         "index,start_ns,stall_ns,step_ns,prefill_tokens,decode_seqs,decode_kv_tokens,running,waiting,"
         "live_bytes,held_bytes,cached_bytes,external_bytes,free_bytes\n");
}

void IterationsCsv::write(const IterationRecord& r) {
  Row row(file_, prefix_);
  if (fleet_) row << r.replica;
  row << r.index << r.start_ns << r.stall_ns << r.step_ns << r.prefill_tokens << r.decode_seqs << r.decode_kv_tokens
      << r.running << r.waiting << r.live_bytes << r.held_bytes << r.cached_bytes << r.external_bytes << r.free_bytes;
  row.end();
}

StepsCsv::StepsCsv(OutputFile& file, std::string_view manager, bool several, bool fleet)
    : file_(file), prefix_(several ? prefix(manager) : ""), fleet_(fleet) {
  header(file, std::string(several ? "manager," : "") + (fleet ? "replica," : "") +
                   "step,schedule_us,scheduled_us,update_us,updated_us,tokens,decodes,decode_context,running,waiting,"
                   "free_blocks,preempted,prefills\n");
}

void StepsCsv::write(const StepRecord& r) {
  std::int64_t tokens = 0, decodes = 0, context = 0;
  std::vector<std::string> preempted, prefills;
  for (const StepRecord::Row& row : r.rows) {
    tokens += row.tokens;
    decodes += row.decode ? 1 : 0;
    context += row.decode ? row.before : 0;
    if (!row.decode) prefills.push_back(fmt::format("{}:{}+{}/{}", row.id, row.before, row.tokens, row.known));
  }
  for (const std::uint64_t id : r.preempted) preempted.push_back(std::to_string(id));
  const auto us = [](std::int64_t ns) { return static_cast<double>(ns) / 1000; };
  file_.write(fmt::format("{}{}{},{},{},{},{},{},{},{},{},{},{},{},{}\n", prefix_,
                          fleet_ ? std::to_string(r.replica) + "," : "", index_++, us(r.formed_ns), us(r.formed_ns),
                          us(r.ends_ns), us(r.ends_ns), tokens, decodes, context, r.running, r.waiting, r.free_units,
                          fmt::join(preempted, " "), fmt::join(prefills, " ")));
}

void write_memory_csv(OutputFile& file, const RunResult& run) {
  if (file.wants_header()) {
    std::string columns = "manager,start_ns,end_ns,";
    for (const auto part : part_names) columns += std::string(part) + "_bytes,";
    file.write(columns + "running,waiting\n");
  }
  const std::string manager = prefix(run.name);
  for (const SeriesPoint& point : run.series) {
    Row row(file, manager);
    row << point.start_ns << point.end_ns;
    for (const double bytes : point.bytes) row << bytes;
    row << point.running << point.waiting;
    row.end();
  }
}
}  // namespace stowage
