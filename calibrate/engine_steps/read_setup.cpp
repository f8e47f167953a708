// What run.json says of the engine. Its scheduler speaks in one line of words and numbers:
// "# blocks 57489 groups [('FullAttentionSpec', 32, 16)] block_size 16 max_seqs 256 max_tokens 8192 max_len 131072
//  async True cls AsyncScheduler"
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json_reader.hpp"
#include "base/ranges.hpp"
#include "calibrate/engine_steps/log.hpp"
#include "sim/sched/scheduler.hpp"

namespace stowage::engine_steps {
namespace {

/// What follows a word and a space, up to the next space; nothing where the word is not there.
std::optional<std::string_view> after(std::string_view line, std::string_view word) {
  const std::string key = fmt::format(" {} ", word);
  const auto at = line.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = line.substr(at + key.size());
  return rest.substr(0, rest.find(' '));
}

class SchedulerLine {
 public:
  explicit SchedulerLine(const JsonReader& value) : value_(value), line_(value.text()) {}

  [[nodiscard]] std::int64_t number(std::string_view word, std::int64_t min, std::int64_t max) const {
    const auto text = after(line_, word);
    std::int64_t n = 0;
    if (text) {
      const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), n);
      if (error == std::errc{} && end == text->data() + text->size() && n >= min && n <= max) return n;
    }
    value_.problem(fmt::format("has no '{} N' with a whole number from {} to {}", word, min, max));
    return min;
  }
  [[nodiscard]] bool flag(std::string_view word) const {
    const auto text = after(line_, word);
    if (!text || (*text != "True" && *text != "False"))
      value_.problem(fmt::format("has no '{} True' or '{} False'", word, word));
    return text == "True";
  }
  /// One group of layers, which see all tokens: only such pools are simulated block by block.
  void check_groups() const {
    const auto begin = line_.find("groups ["), end = line_.find(']', begin);
    if (begin == std::string::npos || end == std::string::npos) {
      value_.problem("has no 'groups [...]', the kinds of its KV cache");
      return;
    }
    std::size_t groups = 0;
    for (auto at = line_.find('\'', begin); at < end; at = line_.find('\'', at + 1), ++groups) {
      const auto close = line_.find('\'', at + 1);
      const std::string kind = line_.substr(at + 1, close - at - 1);
      if (kind != "FullAttentionSpec" && kind != "MLAAttentionSpec") {
        value_.problem(fmt::format("has a KV cache of kind {}: only full attention can be replayed", shown(kind)));
        return;
      }
      at = close;
    }
    if (groups != 1) value_.problem(fmt::format("has {} groups of KV cache: only one can be replayed", groups));
  }

 private:
  const JsonReader& value_;
  std::string line_;
};

/// "0.24.0" is row vllm-0.24 of the table.
const EngineSpec* release_of(const JsonReader& value) {
  const std::string text = value.text();
  const auto dot = text.find('.');
  const auto end = dot == std::string::npos ? dot : text.find_first_not_of("0123456789", dot + 1);
  const EngineSpec* found = find_engine("vllm-" + text.substr(0, end));
  if (found == nullptr && value)
    value.problem(fmt::format("no rules for vLLM {} (known: {})", shown(text), engine_names()));
  return found;
}

/// Options that change decisions, and are not simulated.
void refuse_unknown_rules(const JsonReader& args) {
  constexpr std::array<std::string_view, 3> absent = {"speculative_config", "kv_transfer_config",
                                                      "kv_offloading_size"};
  for (const auto key : absent)
    if (const JsonReader value = args.find(key))
      value.problem("changes what the scheduler does, and is not simulated");
  if (const JsonReader policy = args.find("scheduling_policy"))
    if (policy.text() != "fcfs") policy.problem("only 'fcfs' can be replayed");
  for (const std::string_view key : {"pipeline_parallel_size", "data_parallel_size"})
    if (const JsonReader size = args.find(key))
      if (size.integer(1, count_max, 1) != 1) size.problem("only 1 can be replayed");
}
}  // namespace

Setup read_setup(std::string_view run_json, const std::string& path) {
  Problems problems;
  const auto document = parse_json(run_json, path, "run.json of a logged engine");
  const JsonReader root(document, path, problems);
  Setup out;
  const JsonReader release = root["vllm"], lines = root["scheduler"];
  if (lines && (!lines.is_list() || lines.raw().size() != 1))
    lines.problem("must be a list with the line of one scheduler");
  problems.throw_if_any();
  out.release = release.text();
  const EngineSpec* engine = release_of(release);
  const JsonReader line = lines[0];
  const SchedulerLine says(line);
  says.check_groups();
  SchedulerConfig& s = out.scheduler;
  out.blocks = says.number("blocks", 2, std::int64_t{1} << 26);
  out.block_size = says.number("block_size", 1, 65536);
  s.max_batch = says.number("max_seqs", 1, 1'000'000);
  s.max_batched_tokens = says.number("max_tokens", 1, tokens_max);
  s.max_model_len = says.number("max_len", 1, 2 * tokens_max);
  s.async_scheduling = says.flag("async");
  problems.throw_if_any();
  const JsonReader args = root.find("engine_args");
  refuse_unknown_rules(args);
  const auto flag = [&](std::string_view key, bool fallback) {
    const JsonReader value = args.find(key);
    return value ? value.flag() : fallback;
  };
  out.blocks -= engine->null_blocks;
  out.prefix_caching = flag("enable_prefix_caching", engine->prefix_cache);
  out.nameless_first = engine->nameless_first;
  out.watermark = engine->watermark;
  s.admit_full = flag("scheduler_reserve_full_isl", engine->admit_full);
  s.chunked_prefill = flag("enable_chunked_prefill", engine->chunked_prefill);
  for (const SchedulerProblem& p : find_scheduler(s.policy)->check(s))
    line.problem(fmt::format("cannot be with its engine_args: {}", p.text));
  if (const JsonReader most = args.find("long_prefill_token_threshold"))
    s.long_prefill_threshold = most.integer(0, tokens_max);
  out.model = root.find("model").text();
  out.hardware = root.find("hardware").text();
  const auto divides = [](std::int64_t a, std::int64_t b) { return a % b == 0; };
  if (!divides(out.block_size, prefix_block_tokens) && !divides(prefix_block_tokens, out.block_size))
    line.problem(fmt::format("has blocks of {} tokens, into which prefix_blocks of {} do not go", out.block_size,
                             prefix_block_tokens));
  problems.throw_if_any();
  return out;
}
}  // namespace stowage::engine_steps
