// requests.csv and steps.csv of a load, each row checked by itself and against those before it.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "base/config.hpp"
#include "base/csv_table.hpp"
#include "base/error.hpp"
#include "base/ranges.hpp"
#include "base/read_file.hpp"
#include "calibrate/engine_steps/log.hpp"

namespace stowage::engine_steps {
namespace {
namespace fs = std::filesystem;
using Places = std::unordered_map<std::uint64_t, std::size_t>;  // of requests, by id

/// A field in parts: words between spaces, and of a word its numbers between signs.
class Parts {
 public:
  Parts(const CsvTable& row, std::string_view column) : row_(row), column_(column), rest_(row.text(column)) {}
  [[nodiscard]] bool at_end() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
    return rest_.empty();
  }
  std::uint64_t number(std::uint64_t max = std::numeric_limits<std::int64_t>::max()) {
    std::uint64_t n = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), n);
    if (error != std::errc{} || n > max) fail();
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return n;
  }
  std::int64_t tokens() { return static_cast<std::int64_t>(number(2 * tokens_max)); }
  bool take(char sign) {
    if (rest_.empty() || rest_.front() != sign) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void need(char sign) {
    if (!take(sign)) fail();
  }
  [[noreturn]] void fail() const {
    row_.fail(column_, fmt::format("'{}' is not of that form", shown(row_.text(column_))));
  }

 private:
  const CsvTable& row_;
  std::string_view column_, rest_;
};

std::int64_t ns_of_us(const CsvTable& row, std::string_view column) {
  return std::llround(row.number(column, -1e6 * time_s_max, 1e6 * time_s_max) * 1e3);
}

/// "1000-1035 7 8"
std::vector<std::uint64_t> prefix_of(const CsvTable& row, std::int64_t prompt_tokens) {
  const auto most = static_cast<std::uint64_t>(prompt_tokens / prefix_block_tokens);
  std::vector<std::uint64_t> out;
  for (Parts parts(row, "prefix_blocks"); !parts.at_end();) {
    const std::uint64_t first = parts.number(), last = parts.take('-') ? parts.number() : first;
    if (last < first) parts.fail();
    if (last - first >= most || out.size() + (last - first) >= most)
      row.fail("prefix_blocks", fmt::format("names more blocks of {} tokens than its prompt of {} has",
                                            prefix_block_tokens, prompt_tokens));
    out.resize(out.size() + last - first + 1);
    std::iota(out.end() - static_cast<std::ptrdiff_t>(last - first + 1), out.end(), first);
  }
  return out;
}

std::vector<LoggedRequest> read_requests(LineReader& lines, Places& places) {
  CsvTable row(lines, {"id", "arrival_s", "prompt_tokens", "output_tokens", "prefix_blocks"},
               "the requests of a logged engine (id,arrival_s,prompt_tokens,output_tokens,…,prefix_blocks)");
  std::vector<LoggedRequest> out;
  while (row.next()) {
    LoggedRequest r;
    r.id = static_cast<std::uint64_t>(row.integer("id", 0, count_max));
    if (!places.emplace(r.id, out.size()).second) row.fail("id", "an earlier row has it too");
    r.arrival_ns = std::llround(row.number("arrival_s", -time_s_max, time_s_max) * 1e9);
    r.prompt_tokens = static_cast<std::int32_t>(row.integer("prompt_tokens", 1, tokens_max));
    r.output_tokens = static_cast<std::int32_t>(row.integer("output_tokens", 1, tokens_max));
    r.prefix = prefix_of(row, r.prompt_tokens);
    out.push_back(std::move(r));
  }
  if (out.empty()) row.fail("no request");
  return out;
}

class StepsReader {
 public:
  StepsReader(LineReader& lines, const std::vector<LoggedRequest>& requests, const Places& places)
      : row_(lines,
             {"step", "schedule_us", "scheduled_us", "update_us", "tokens", "decodes", "decode_context", "running",
              "waiting", "free_blocks", "preempted", "prefills"},
             "the steps of a logged engine (step,schedule_us,scheduled_us,update_us,…,preempted,prefills)"),
        requests_(requests),
        places_(places) {}

  void read(LoggedLoad& out) {
    while (row_.next()) {
      LoggedStep s = read_step();
      check_order(out.steps.empty() ? nullptr : &out.steps.back(), s);
      if (out.steps.empty()) out.first_step = last_;
      out.steps.push_back(std::move(s));
    }
    if (out.steps.empty()) row_.fail("no step");
  }

 private:
  [[nodiscard]] std::size_t place(std::string_view column, std::uint64_t id) const {
    const auto found = places_.find(id);
    if (found == places_.end()) row_.fail(column, fmt::format("requests.csv has no request {}", id));
    return found->second;
  }

  LoggedStep read_step() {
    LoggedStep s;
    s.formed_ns = ns_of_us(row_, "schedule_us");
    s.scheduled_ns = ns_of_us(row_, "scheduled_us");
    s.ended_ns = ns_of_us(row_, "update_us");
    s.tokens = row_.integer("tokens", 1, count_max);
    s.decodes = row_.integer("decodes", 0, count_max);
    s.decode_context = row_.integer("decode_context", 0, count_max);
    s.running = row_.integer("running", 0, count_max);
    s.waiting = row_.integer("waiting", 0, count_max);
    s.free_blocks = row_.integer("free_blocks", 0, count_max);
    for (Parts parts(row_, "preempted"); !parts.at_end();)
      s.preempted.push_back(place("preempted", parts.number()));
    std::sort(s.preempted.begin(), s.preempted.end());
    std::int64_t tokens = s.decodes;
    for (Parts parts(row_, "prefills"); !parts.at_end();) {  // id:computed+scheduled/known
      PromptRow r;
      r.request = place("prefills", parts.number());
      parts.need(':');
      r.before = parts.tokens();
      parts.need('+');
      r.tokens = parts.tokens();
      parts.need('/');
      r.known = parts.tokens();
      const LoggedRequest& q = requests_[r.request];
      if (r.tokens < 1 || r.before + r.tokens > r.known || r.known < q.prompt_tokens ||
          r.known >= q.prompt_tokens + q.output_tokens)
        row_.fail("prefills", fmt::format("{}:{}+{}/{} does not go with its prompt of {} and output of {} tokens", q.id,
                                          r.before, r.tokens, r.known, q.prompt_tokens, q.output_tokens));
      tokens += r.tokens;
      s.prompts.push_back(r);
    }
    if (tokens != s.tokens)
      row_.fail("tokens", fmt::format("{}, and its decodes and prefills have {}", s.tokens, tokens));
    return s;
  }

  void check_order(const LoggedStep* before, const LoggedStep& s) {
    const std::int64_t step = row_.integer("step", 0, count_max);
    if (before != nullptr && step != last_ + 1) row_.fail("step", fmt::format("{} does not follow {}", step, last_));
    last_ = step;
    if (s.scheduled_ns < s.formed_ns) row_.fail("scheduled_us", "is before schedule_us");
    if (s.ended_ns < s.scheduled_ns) row_.fail("update_us", "is before scheduled_us");
    if (before == nullptr) return;
    if (s.formed_ns < before->scheduled_ns) row_.fail("schedule_us", "is before the step above was scheduled");
    if (s.ended_ns < before->ended_ns) row_.fail("update_us", "is before that of the step above");
  }

  CsvTable row_;
  const std::vector<LoggedRequest>& requests_;
  const Places& places_;
  std::int64_t last_ = 0;
};

/// The first event of all is at 0. A run of much longer would overflow sums of times.
void move_to_zero(LoggedLoad& load) {
  std::int64_t first = load.steps.front().formed_ns;
  std::int64_t last = load.steps.back().ended_ns;
  for (const LoggedRequest& r : load.requests) {
    first = std::min(first, r.arrival_ns);
    last = std::max(last, r.arrival_ns);
  }
  constexpr std::int64_t span_ns_max = 100LL * 24 * 3600 * 1'000'000'000;
  if (last - first > span_ns_max)
    throw InputError({load.steps_file, 0, 0}, "its times, and those of its requests, are more than 100 days apart");
  for (LoggedRequest& r : load.requests) r.arrival_ns -= first;
  for (LoggedStep& s : load.steps) {
    s.formed_ns -= first;
    s.scheduled_ns -= first;
    s.ended_ns -= first;
  }
}

LoggedLoad read_tables(LineReader& requests, LineReader& steps) {
  LoggedLoad out;
  Places places;
  out.requests = read_requests(requests, places);
  out.steps_file = steps.path();
  StepsReader(steps, out.requests, places).read(out);
  move_to_zero(out);
  return out;
}

bool is_load(const fs::path& folder) { return fs::exists(folder / "steps.csv"); }
}  // namespace

LoggedLoad read_load(std::string_view requests_csv, std::string_view steps_csv, const std::string& folder) {
  LineReader requests(requests_csv, folder + "/requests.csv"), steps(steps_csv, folder + "/steps.csv");
  return read_tables(requests, steps);
}

LoggedRun read_logged_run(const std::string& folder) {
  const fs::path path = fs::path(folder).lexically_normal() / "";  // with a slash at its end, "..": its own name
  if (!fs::is_directory(path)) throw InputError({folder, 0, 0}, "is not a folder; give that of a logged engine");
  std::vector<fs::path> found;
  fs::path run_json = path / "run.json";
  if (is_load(path)) {
    found.push_back(path);
    if (!fs::exists(run_json)) run_json = path / ".." / "run.json";
  } else {
    for (const auto& entry : fs::directory_iterator(path))
      if (is_load(entry.path())) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
  }
  if (!fs::exists(run_json))
    throw InputError({folder, 0, 0}, "holds no run.json, which says what engine was logged");
  if (found.empty()) throw InputError({folder, 0, 0}, "holds no load: neither steps.csv nor folders with one");
  LoggedRun out;
  out.folder = folder;
  out.setup = read_setup(read_file(run_json.string(), whole_bytes_max), run_json.string());
  for (const fs::path& load : found) {
    LineReader requests((load / "requests.csv").string()), steps((load / "steps.csv").string());
    out.loads.push_back(read_tables(requests, steps));
    const fs::path whole = fs::absolute(load).lexically_normal();
    out.loads.back().name = (whole.has_filename() ? whole : whole.parent_path()).filename().string();
  }
  return out;
}
}  // namespace stowage::engine_steps
