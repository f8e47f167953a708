#include <algorithm>
#include <random>

#include "helpers.hpp"
#include "tests/unit/traces/content_text.hpp"

namespace stowage::test {
namespace {

/// The hash ids of each request, with the salt in front where there is one.
std::string contents(std::string_view text, TraceOptions options = {}) {
  const TempFile file(text);
  options.path = file.path();
  TraceLedger ledger;
  return contents_of(*open_trace(options, ledger));
}
double prefix_hit(std::string_view text, TraceOptions options = {}) {
  const TempFile file(text);
  options.path = file.path();
  TraceLedger ledger;
  return trace_info(*open_trace(options, ledger)).prefix_hit.value_or(-1);
}

TEST(Mooncake, Rows) {
  const Opened o = open_text(
      "{\"timestamp\": 100, \"input_length\": 1500, \"output_length\": 5, \"hash_ids\": [1, 2, 3]}\n"
      "\n"  // blank lines are no rows
      "{\"output_length\":6,\"input_length\":1024,\"timestamp\":100.5,\"other\":{\"a\":[1]},\"hash_ids\":[1,2]}\r\n"
      "{\"timestamp\": 2e2, \"input_length\": 7, \"output_length\": 8}");  // no hashes, no line end
  EXPECT_EQ(o.ledger.format, "mooncake");
  EXPECT_EQ(o.ledger.hash_tokens, 512);
  EXPECT_EQ(listed(o.requests), "0/1500/5 500000/1024/6 100000000/7/8 ");  // 100.5 ms - 100 ms = 500,000 ns
}

TEST(Mooncake, TimesAreExactAtTheLateEnd) {
  // 1,764,547,200,123.25 ms since 1970: a double of nanoseconds would be 256 ns coarse there.
  const Opened o = open_text(
      "{\"timestamp\": 1764547200123, \"input_length\": 1, \"output_length\": 1}\n"
      "{\"timestamp\": 1764547200123.25, \"input_length\": 1, \"output_length\": 1}\n");
  EXPECT_EQ(listed(o.requests), "0/1/1 250000/1/1 ");
}

TEST(Mooncake, ALastHashOfFewerTokensIsPrivate) {
  // 1,500 = 2 x 512 + 476: the third id covers 476 tokens. 1,536 = 3 x 512.
  const std::string text =
      "{\"timestamp\": 0, \"input_length\": 1500, \"output_length\": 5, \"hash_ids\": [1, 2, 3]}\n"
      "{\"timestamp\": 0, \"input_length\": 1536, \"output_length\": 5, \"hash_ids\": [1, 2, 3]}\n"
      "{\"timestamp\": 0, \"input_length\": 1536, \"output_length\": 5, \"hash_ids\": [18446744073709551615]}\n";
  EXPECT_EQ(contents(text), "512: 1 2 | 512: 1 2 3 | 512: 18446744073709551615 | ");
  // 16 tokens a hash: three whole ones in either.
  EXPECT_EQ(contents(text, {.hash_tokens = 16}), "16: 1 2 3 | 16: 1 2 3 | 16: 18446744073709551615 | ");
}

TEST(Mooncake, WhatAnEndlessCacheFinds) {
  // 512 a hash. 1: nothing; 2: [1 2] of 1,600; 3: [1] of 600; 4: all of 1,024, but its last token, and with it its
  // block, is computed: [1]. 5: 2 is known behind 1 only. (1,024 + 512 + 512) / (1,100 + 1,600 + 600 + 1,024 + 1,024)
  const std::string text =
      "{\"timestamp\": 0, \"input_length\": 1100, \"output_length\": 5, \"hash_ids\": [1, 2, 3]}\n"
      "{\"timestamp\": 1, \"input_length\": 1600, \"output_length\": 5, \"hash_ids\": [1, 2, 4, 5]}\n"
      "{\"timestamp\": 2, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [1, 2]}\n"
      "{\"timestamp\": 3, \"input_length\": 1024, \"output_length\": 5, \"hash_ids\": [1, 2]}\n"
      "{\"timestamp\": 4, \"input_length\": 1024, \"output_length\": 5, \"hash_ids\": [2, 1]}\n";
  EXPECT_DOUBLE_EQ(prefix_hit(text), 2048.0 / 5348);
  // Copies of a trace have nothing in common: the share stays.
  EXPECT_DOUBLE_EQ(prefix_hit(text, {.repeat = 3}), 2048.0 / 5348);
  EXPECT_DOUBLE_EQ(prefix_hit("{\"timestamp\": 0, \"input_length\": 1100, \"output_length\": 5}\n"), -1);  // unknown
}

TEST(Mooncake, HashesFollowTheirRowsThroughSortingAndDropping) {
  const std::string text =
      "{\"timestamp\": 30, \"input_length\": 512, \"output_length\": 1, \"hash_ids\": [30]}\n"
      "{\"timestamp\": 10, \"input_length\": 512, \"output_length\": 0, \"hash_ids\": [99]}\n"
      "{\"timestamp\": 10, \"input_length\": 512, \"output_length\": 2, \"hash_ids\": [10]}\n"
      "{\"timestamp\": 20, \"input_length\": 1024, \"output_length\": 3, \"hash_ids\": [20, 21]}\n"
      "{\"timestamp\": 10, \"input_length\": 512, \"output_length\": 4, \"hash_ids\": [11]}\n";
  const Opened o = open_text(text);
  EXPECT_EQ(listed(o.requests), "0/512/2 0/512/4 10000000/1024/3 20000000/512/1 ");
  EXPECT_EQ(contents(text), "512: 10 | 512: 11 | 512: 20 21 | 512: 30 | ");
  EXPECT_EQ(contents(text, {.rate_scale = 2, .limit = 2, .repeat = 2}),
            "512: 10 | 512: 30 | 1/512: 10 | 1/512: 30 | ");
}

/// More rows than are held: each stream parses them again and keeps the hashes of what is not dropped.
TEST(Mooncake, LongTracesGiveTheSameContent) {
  const std::size_t rows = trace_rows_held + 5000;
  std::string text;
  for (std::size_t i = 0; i < rows; ++i)
    text += "{\"timestamp\":" + std::to_string(i) + ",\"input_length\":5,\"output_length\":1,\"hash_ids\":[" +
            std::to_string(i * 7) + "]}\n";
  const TempFile file(text);
  TraceLedger ledger;
  const auto workload = open_trace({.path = file.path(), .repeat = 2, .hash_tokens = 5}, ledger);
  const auto stream = workload->open();
  std::vector<Request> batch(1000), waiting;
  std::uint64_t seen = 0, places = 0;
  const auto check_and_drop = [&](const Request& r) {
    const PromptContent content = stream->content(r);
    ASSERT_EQ(content.hashes.size(), 1U);
    ASSERT_EQ(content.hashes[0], r.id % rows * 7);
    ASSERT_EQ(content.salt, r.id / rows);
    places = std::max<std::uint64_t>(places, static_cast<std::uint64_t>(r.content));
    stream->drop(r);
  };
  while (const std::size_t n = stream->read(batch)) {
    seen += n;
    // Half of them leave at once, half when the next ones have come, the younger ones first.
    std::vector<Request> now;
    for (std::size_t i = 0; i < n; ++i) (i % 2 == 0 ? now : waiting).push_back(batch[i]);
    if (waiting.size() > 1000) {
      std::reverse(waiting.begin(), waiting.end());
      now.insert(now.end(), waiting.begin(), waiting.end());
      waiting.clear();
    }
    for (const Request& r : now) ASSERT_NO_FATAL_FAILURE(check_and_drop(r));
  }
  EXPECT_EQ(seen, 2 * rows);
  EXPECT_LT(places, 4000U);  // memory is in the requests alive, not in the rows
}

TEST(Mooncake, BadRows) {
  const auto row = [](std::string_view rest) { return "{\"timestamp\": 0, \"input_length\": 600" + std::string(rest); };
  const std::string good = row(", \"output_length\": 5}\n");
  EXPECT_EQ(error_of(good + row("}\n")), "F:2:1: error: 'output_length' is missing");
  EXPECT_EQ(error_of(good + row(", \"output_length\": -1}\n")),
            "F:2:56: error: output_length '-1' is not a length; write a whole number of tokens from 0 to 10,000,000");
  EXPECT_EQ(error_of(good + row(", \"output_length\": 9223372036854775808}\n")),
            "F:2:56: error: output_length '9223372036854775808' is not a length; write a whole number of tokens from 0 "
            "to 10,000,000");
  EXPECT_EQ(error_of(good + row(", \"output_length\": 1.5}\n")),
            "F:2:56: error: output_length '1.5' is not a length; write a whole number of tokens from 0 to 10,000,000");
  EXPECT_EQ(error_of(good + row(", \"output_length\": 5, \"hash_ids\": [1, 2, 3]}\n")),
            "F:2:1: error: 3 hash_ids of 512 tokens each do not fit a prompt of 600 tokens; if an id stands for "
            "another number of tokens, give it as 'hash_block_size'");
  EXPECT_EQ(error_of(good + row(", \"output_length\": 5, \"hash_ids\": [1, -2]}\n")),
            "F:2:75: error: hash_ids '-2' is not an id; write whole numbers from 0 on");
  EXPECT_EQ(error_of(good + row(", \"output_length\": 5, \"hash_ids\": 7}\n")),
            "F:2:71: error: hash_ids '7' is not a list; write whole numbers in brackets, as [46, 47]");
  EXPECT_EQ(error_of(good + row(", \"output_length\": 5, \"output_length\": 5}\n")),
            "F:2:1: error: 'output_length' is given twice");
  EXPECT_EQ(error_of(good + row(", \"output_length\": 5} {}\n")),
            "F:2:59: error: something follows the row's closing brace; write one object a line");
  EXPECT_EQ(error_of(good + row(", \"output_len")),
            "F:2:1: error: this row is cut short: fetch the file again, or delete its last line");
  EXPECT_EQ(error_of(good + row(std::string_view(", \"output_\0length\": 5}\n", 22))),
            "F:2:47: error: there is a NUL byte here; the file is damaged or is not plain text");
  for (const std::string_view time : {"-1", "1e400", "NaN", "null", "\"0\"", "5e12", "-0.001"}) {
    const std::string message = error_of(
        good + "{\"timestamp\": " + std::string(time) + ", \"input_length\": 1, \"output_length\": 1}\n");
    EXPECT_EQ(message, "F:2:15: error: timestamp '" + std::string(time) +
                           "' is not a time; write the milliseconds since the trace began, from 0 on");
  }
  for (const std::string_view line : {"[1]", "5", "\"a\"", "{", "}", "{]", "{\"timestamp\"}", "\xff"})
    EXPECT_NE(error_of(good + std::string(line) + "\n").find("F:2:1: error: this row is not a JSON object"),
              std::string::npos)
        << line << ": " << error_of(good + std::string(line) + "\n");
  EXPECT_NE(error_of(good + "{\"session_id\": \"a\", \"delay\": 5}\n").find("'session_id': turns of sessions"),
            std::string::npos);
  EXPECT_NE(error_of(good + std::string(std::size_t{1} << 21, ' ') + "{}\n").find("F:2:1: error: a row of more than"),
            std::string::npos);
}

TEST(Mooncake, BailianIsNotTakenForIt) {  // the same keys, in seconds
  EXPECT_NE(error_of("{\"chat_id\": 1, \"timestamp\": 0.5, \"input_length\": 5, \"output_length\": 4}\n")
                .find("is no known trace"),
            std::string::npos);
}

/// Any bytes give requests or an error with the file's name; tokens and hashes never contradict each other.
TEST(Mooncake, SurvivesChangedBytes) {
  const std::string good =
      "{\"timestamp\": 12, \"input_length\": 1500, \"output_length\": 5, \"hash_ids\": [1, 2, 3]}\n"
      "{\"timestamp\": 15.5, \"input_length\": 600, \"output_length\": 7, \"hash_ids\": [1, 9], \"x\": \"\\u00e9\"}\n";
  std::mt19937 random(20261201);
  const std::string_view bytes = "0123456789{}[]\",:.-e \n\\\0x\xff";
  int opened = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text = good;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      const std::size_t at = random() % text.size();
      if (random() % 3 == 0) text.erase(at, 1 + random() % 5);
      else text[at] = bytes[random() % bytes.size()];
    }
    const TempFile file(text);
    TraceLedger ledger;
    try {
      const auto workload = open_trace({.path = file.path()}, ledger);
      const auto stream = workload->open();
      Request r;
      while (stream->read({&r, 1}) == 1)
        EXPECT_LE(stream->content(r).hashes.size(), static_cast<std::size_t>(r.prompt_tokens / 512));
      ++opened;
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()).rfind(file.path(), 0), 0U) << error.what() << "\n" << text;
    }
  }
  EXPECT_GT(opened, 100);
}

/// Shares of the real files; 0.2939 and 0.6504 were counted by another program.
TEST(Mooncake, RealFiles) {
  const std::string folder = source_dir() + "/../shared/traces/mooncake/";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the traces are not at hand";
  const auto share = [&](const std::string& name) {
    TraceLedger ledger;
    return trace_info(*open_trace({.path = folder + name}, ledger)).prefix_hit.value_or(-1);
  };
  EXPECT_NEAR(share("conversation_first2000.jsonl"), 0.2939, 0.0002);
  EXPECT_NEAR(share("synthetic_trace.jsonl"), 0.6504, 0.0002);
}
}  // namespace
}  // namespace stowage::test
