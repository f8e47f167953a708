// Thousands of damaged scenarios: whatever comes in, only the two errors for users come out, and what is still
// accepted survives being written out. Seeded, so a failure can be run again; its text is printed.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/config.hpp"
#include "base/rng.hpp"
#include "scenario/cache.hpp"
#include "scenario/scenario.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;

constexpr std::array<std::string_view, 56> tokens = {
    "0",        "-1",           "1e308",   ".inf",       ".nan",    "99999999999999999999",
    "010",      "0x10",         "1.5",     "''",         "null",    "~",
    "true",     "{}",           "[]",      "{a: 1}",     "[1, 2]",  "*a",
    "&a 1",     "!!str 1",      "<<: x",   "? x",        "- ",      ": ",
    "\n",       "\t",           "  ",      "#",          "\"",      "'",
    "|\n",      ">\n",          "%YAML",   "---\n",      "...\n",   "8GiB",
    "1B",       "0B",           "9000PiB", "5/s",        "0/s",     "1e300/s",
    "0s",       "1e300s",       "100%",    "vattention", "reserve", "paged",
    "\xc3\x28", "\xef\xbb\xbf", "sliced",  "64KiB",      "oracle",  "burst",
    "\\x00",    "../..",
};

/// STOWAGE_MUTATIONS=1000000 searches longer.
std::uint64_t runs() {
  const char* given = std::getenv("STOWAGE_MUTATIONS");
  return given == nullptr ? 3000 : std::strtoull(given, nullptr, 10);
}

std::vector<std::string> seeds() {
  std::vector<std::string> out;
  for (const char* folder : {"/scenarios", "/tests/unit/scenario/bad"})
    for (const auto& entry : fs::directory_iterator(source_dir() + folder)) {
      if (!entry.is_regular_file()) continue;  // studies and papers
      std::ostringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      out.push_back(text.str());
    }
  std::sort(out.begin(), out.end());
  // Most mutations start from a text with every key spelled out, so that values are hit, not comments.
  const std::size_t n = out.size();
  for (const auto& entry : fs::directory_iterator(source_dir() + "/scenarios"))
    for (std::size_t i = 0; i < n && entry.is_regular_file(); ++i)
      out.push_back(resolved_yaml(load_scenario(entry.path().string())));
  return out;
}

/// The start and length of a random word (letters, digits and what numbers have) of `text`.
std::pair<std::size_t, std::size_t> random_word(const std::string& text, Rng& rng) {
  const auto is_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
  };
  std::size_t begin = rng.below(text.size());
  while (begin > 0 && is_word(text[begin - 1])) --begin;
  std::size_t end = begin;
  while (end < text.size() && is_word(text[end])) ++end;
  return {begin, end - begin};
}

/// Scenarios out of one cache, as the points of a study, which reads each GPU's profile once; a new one now and then.
class Reader {
 public:
  Scenario read(const std::string& text, const std::string& file) {
    if (read_++ % 100 == 0) cache_ = std::make_unique<ScenarioCache>();
    return resolve_scenario(ConfigDocument::parse(text, file), {}, *cache_);
  }

 private:
  std::unique_ptr<ScenarioCache> cache_;
  std::uint64_t read_ = 0;
};

std::string mutate(std::string text, Rng& rng) {
  for (std::uint64_t n = 1 + rng.below(2); n > 0 && !text.empty(); --n) {
    const auto [at, length] = random_word(text, rng);
    switch (rng.below(8)) {
      case 0:
        text.replace(at, length, tokens[rng.below(tokens.size())]);
        break;
      case 1:
        text.insert(at, tokens[rng.below(tokens.size())]);
        break;
      case 2:
        text.erase(at, 1 + rng.below(8));
        break;
      case 3:
        text[rng.below(text.size())] = static_cast<char>(rng.below(256));
        break;
      case 4: {  // a word from elsewhere: right form, wrong place
        const auto [from, from_length] = random_word(text, rng);
        text.replace(at, length, text.substr(from, from_length));
        break;
      }
      case 5:
      case 6: {  // another number
        const std::size_t digit = text.find_first_of("0123456789", at);
        if (digit != std::string::npos) text[digit] = static_cast<char>('0' + rng.below(10));
        break;
      }
      default: {  // a line again, or cut off here
        if (rng.below(8) == 0)
          text.resize(at);
        else
          text.insert(at, text.substr(at, rng.below(80)));
      }
    }
  }
  return text;
}

TEST(Mutations, only_input_and_infeasible_errors_come_out) {
  const auto texts = seeds();
  const std::string file = source_dir() + "/scenarios/mutated.yaml";
  Reader reader;
  int accepted = 0, refused = 0, infeasible = 0;
  for (std::uint64_t seed = 0; seed < runs(); ++seed) {
    Rng rng(seed, "mutations");
    const std::string text = mutate(texts[rng.below(texts.size())], rng);
    SCOPED_TRACE(testing::Message() << "seed " << seed << "\n" << text);
    try {
      const auto s = reader.read(text, file);
      ++accepted;
      const std::string out = resolved_yaml(s);
      ASSERT_EQ(resolved_yaml(reader.read(out, file)), out);
    } catch (const InputError& e) {
      ++refused;
      ASSERT_FALSE(e.problems().empty());
      for (const auto& p : e.problems()) {
        ASSERT_FALSE(p.at.file.empty()) << p.message;
        ASSERT_EQ(p.str().find('\n'), std::string::npos) << p.str();
        ASSERT_LT(p.message.size(), 1000U) << p.message;
      }
    } catch (const InfeasibleError&) { ++infeasible; } catch (const std::exception& e) {
      FAIL() << typeid(e).name() << ": " << e.what();
    }
  }
  // The mutations must reach past the YAML parser, or they test nothing.
  EXPECT_GT(accepted, 250);
  EXPECT_GT(refused, 250);
  EXPECT_GT(infeasible, 0);
}

TEST(Mutations, of_set_paths) {
  const std::string text =
      "model: llama-3-8b\nhardware: l40s\nmemory: {kv_pool: 8GiB}\n"
      "workload: {requests: [{prompt: 10, output: 2}]}\nmanagers: [{kind: paged}, {kind: reserve}]\n";
  constexpr std::string_view alphabet = "memorykv_pool.[]0129=managers{}: \"',GiB-";
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    Rng rng(seed, "sets");
    std::vector<std::string> sets;
    for (std::uint64_t i = 0; i <= rng.below(3); ++i) {
      std::string set = std::array{"managers[0].kind=paged", "memory.kv_pool=1GiB", "workload.requests[0].prompt=7",
                                   ""}[rng.below(4)];
      for (std::uint64_t k = rng.below(4); k > 0; --k)
        set.insert(set.begin() + static_cast<std::ptrdiff_t>(rng.below(set.size() + 1)),
                   alphabet[rng.below(alphabet.size())]);
      sets.push_back(set);
    }
    try {
      (void)parse_scenario(text, "f.yaml", sets);
    } catch (const InputError&) {
    } catch (const InfeasibleError&) {
    } catch (const std::exception& e) {
      FAIL() << "seed " << seed << ": " << testing::PrintToString(sets) << ": " << e.what();
    }
  }
}
}  // namespace
}  // namespace stowage
