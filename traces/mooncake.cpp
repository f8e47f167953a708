// Mooncake's traces (github.com/kvcache-ai/Mooncake): one JSON object a line,
//   {"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, ...]}
// with the arrival in milliseconds from the start and one id for every 512 tokens of the prompt. An id stands for its
// tokens and everything before them. The last one may cover fewer tokens: it is that prompt's own.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "base/read_file.hpp"
#include "traces/csv.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {
namespace json = simdjson::ondemand;
constexpr double latest_ms = 4.6e12;  // 146 years, as in the canonical format
constexpr std::int64_t mooncake_hash_tokens = 512;
constexpr std::array<std::string_view, 4> key_names = {"timestamp", "input_length", "output_length", "hash_ids"};
enum KeyName : std::size_t { timestamp, input_length, output_length, hash_ids };

class MooncakeReader final : public RowReader {
 public:
  MooncakeReader(std::string_view text, std::string file, std::int64_t hash_tokens)
      : text_(text), file_(std::move(file)), hash_tokens_(hash_tokens) {}

  std::size_t read(std::span<RawRow> out) override {
    hashes_.clear();
    std::size_t n = 0;
    while (n < out.size() && next_ < text_.size()) {
      const std::size_t end = std::min(text_.find('\n', next_), text_.size());
      const std::string_view line = text_.substr(next_, end - next_);
      next_ = std::min(end + 1, text_.size());
      ++line_;
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      read_row(line, out[n++]);
    }
    return n;
  }
  [[nodiscard]] const RowHashes* hashes() const override { return &hashes_; }
  [[nodiscard]] std::size_t offset() const override { return next_; }

 private:
  [[noreturn]] void fail(const std::string& why, const char* at = nullptr) const {
    const std::ptrdiff_t column = at == nullptr ? 0 : at - row_.data();
    throw InputError({file_, line_, static_cast<int>(column) + 1}, why);
  }
  /// Of a row that is no JSON.
  [[noreturn]] void fail_json(simdjson::error_code error) const {
    if (next_ == text_.size() && !text_.ends_with('\n'))
      fail("this row is cut short: fetch the file again, or delete its last line");
    fail(fmt::format("this row is not a JSON object ({}); mend or delete it", simdjson::error_message(error)));
  }

  /// The parser reads beyond the row; at the end of the text it gets a copy that has room.
  json::document parse(std::string_view line) {
    if (line.size() > line_bytes_max)
      fail(fmt::format("a row of more than {} MiB; is this the right file?", line_bytes_max >> 20));
    if (const void* nul = std::memchr(line.data(), '\0', line.size()))
      fail("there is a NUL byte here; the file is damaged or is not plain text",
           (row_ = line, static_cast<const char*>(nul)));
    const auto room = static_cast<std::size_t>(text_.data() + text_.size() - line.data());
    if (room < line.size() + simdjson::SIMDJSON_PADDING) {
      padded_.assign(line);
      padded_.resize(line.size() + simdjson::SIMDJSON_PADDING);
      line = std::string_view(padded_).substr(0, line.size());
    }
    row_ = line;
    json::document document;
    const std::size_t readable = line.size() + simdjson::SIMDJSON_PADDING;
    const auto error = parser_.iterate(line.data(), line.size(), readable).get(document);
    if (error != simdjson::SUCCESS) fail_json(error);
    return document;
  }

  void read_row(std::string_view line, RawRow& row) {
    json::document document = parse(line);
    json::object object;
    if (const auto error = document.get_object().get(object); error != simdjson::SUCCESS) fail_json(error);
    unsigned seen = 0;
    ids_.clear();
    for (auto each : object) {
      json::field field;
      if (const auto error = std::move(each).get(field); error != simdjson::SUCCESS) fail_json(error);
      std::string_view key;
      if (const auto error = field.unescaped_key().get(key); error != simdjson::SUCCESS) fail_json(error);
      const auto* const found = std::find(key_names.begin(), key_names.end(), key);
      const auto name = static_cast<std::size_t>(found - key_names.begin());
      if (key == "session_id" || key == "delay")
        fail(fmt::format("'{}': turns of sessions in a Mooncake file cannot be replayed yet; write them as "
                         "'requests' with 'session' in the scenario",
                         key));
      if (name == key_names.size()) continue;
      if ((seen >> name & 1U) != 0) fail(fmt::format("'{}' is given twice", key));
      seen |= 1U << name;
      if (name == timestamp) row.time_ns = nanoseconds(field.value());
      if (name == input_length) row.prompt_tokens = tokens(key, field.value());
      if (name == output_length) row.output_tokens = tokens(key, field.value());
      if (name == hash_ids) read_ids(field.value());
    }
    if (const char* rest = nullptr; document.current_location().get(rest) == simdjson::SUCCESS)
      fail("something follows the row's closing brace; write one object a line", rest);
    for (const std::size_t name : {timestamp, input_length, output_length})
      if ((seen >> name & 1U) == 0) fail(fmt::format("'{}' is missing", key_names[name]));
    check_ids(row.prompt_tokens);
    hashes_.add(ids_);
  }

  /// `value` could not be read as the number that its key needs.
  [[noreturn]] void fail_number(std::string_view key, std::string_view token, std::string_view needs) const {
    token = token.substr(0, token.find_last_not_of(" \t\r") + 1);
    fail(fmt::format("{} '{}' is not {}", key, csv::shown(token), needs), token.data());
  }
  std::int64_t nanoseconds(json::value value) const {
    const std::string_view token = value.raw_json_token();
    double ms = 0;
    if (value.get_double().get(ms) != simdjson::SUCCESS || !(ms >= 0) || ms > latest_ms)
      fail_number("timestamp", token, "a time; write the milliseconds since the trace began, from 0 on");
    const double whole = std::floor(ms);
    return static_cast<std::int64_t>(whole) * 1'000'000 + std::llround((ms - whole) * 1e6);
  }
  std::int32_t tokens(std::string_view key, json::value value) const {
    const std::string_view token = value.raw_json_token();
    std::int64_t n = 0;
    if (value.get_int64().get(n) != simdjson::SUCCESS || n < 0 || n > max_length_tokens)
      fail_number(key, token, "a length; write a whole number of tokens from 0 to 10,000,000");
    return static_cast<std::int32_t>(n);
  }
  void read_ids(json::value value) {
    const std::string_view list_token = value.raw_json_token();
    json::array list;
    if (value.get_array().get(list) != simdjson::SUCCESS)
      fail_number("hash_ids", list_token, "a list; write whole numbers in brackets, as [46, 47]");
    for (auto each : list) {
      json::value item;
      if (const auto error = std::move(each).get(item); error != simdjson::SUCCESS) fail_json(error);
      const std::string_view token = item.raw_json_token();
      std::uint64_t id = 0;
      if (item.get_uint64().get(id) != simdjson::SUCCESS)
        fail_number("hash_ids", token, "an id; write whole numbers from 0 on");
      ids_.push_back(id);
    }
  }
  /// Ids contradict the length when there are more than the prompt has blocks, the last one perhaps a part.
  void check_ids(std::int64_t prompt) {
    const auto blocks = static_cast<std::size_t>((prompt + hash_tokens_ - 1) / hash_tokens_);
    if (ids_.size() > blocks)
      fail(fmt::format("{} hash_ids of {} tokens each do not fit a prompt of {} tokens; if an id stands for another "
                       "number of tokens, give it as 'hash_block_size'",
                       ids_.size(), hash_tokens_, prompt));
    ids_.resize(std::min(ids_.size(), static_cast<std::size_t>(prompt / hash_tokens_)));  // a part is the prompt's own
  }

  std::string_view text_;
  std::string file_;
  std::int64_t hash_tokens_;
  std::size_t next_ = 0;
  int line_ = 0;
  std::string_view row_;  // as the parser sees it
  std::string padded_;
  json::parser parser_;
  std::vector<std::uint64_t> ids_;
  RowHashes hashes_;
};

/// Qwen-Bailian's files have the same keys and count seconds: `chat_id` tells them apart.
bool matches(std::string_view line) {
  if (!line.starts_with('{')) return false;
  const auto has = [line](std::string_view key) { return line.find(key) != std::string_view::npos; };
  return has("\"timestamp\"") && has("\"input_length\"") && has("\"output_length\"") && !has("\"chat_id\"");
}
std::unique_ptr<RowReader> open(std::string_view text, const std::string& file, std::int64_t hash_tokens) {
  return std::make_unique<MooncakeReader>(text, file, hash_tokens);
}
}  // namespace

constinit const TraceFormat mooncake_format = {
    "mooncake",
    "Mooncake's traces, with the ids of blocks that prompts share",
    R"({"timestamp": ms, "input_length": n, "output_length": n, "hash_ids": [...]})",
    matches,
    open,
    mooncake_hash_tokens};
}  // namespace stowage
