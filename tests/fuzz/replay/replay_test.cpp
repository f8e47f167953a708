// Every file that Stowage reads, from a corpus of odd ones: tests/fuzz/corpus/<reader>/<file>. A reader takes a text,
// or refuses it with its name, in one line, and nothing else comes out. Each file is read as it is and damaged some
// dozen times, seeded; STOWAGE_FUZZ_FILES=100000 searches longer. What ever broke a reader is kept here as a file.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "base/config.hpp"
#include "base/error.hpp"
#include "base/rng.hpp"
#include "calibrate/engine_log.hpp"
#include "calibrate/measured.hpp"
#include "calibrate/probe_file.hpp"
#include "calibrate/validate_engine.hpp"
#include "calibrate/vidur.hpp"
#include "models/cost/profile.hpp"
#include "models/vllm_log.hpp"
#include "planner/journal.hpp"
#include "planner/study.hpp"
#include "reports/saved.hpp"
#include "scenario/scenario.hpp"
#include "tests/support/source_dir.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;

/// A text that exact round trips are asked of: what is read from what was written is the same again.
void units(std::string_view text, const std::string&) {
  if (const auto x = parse_bytes(text)) { EXPECT_EQ(parse_bytes(format_bytes(*x)), x) << text; }
  if (const auto x = parse_duration_ns(text); x && *x >= 0) {
    EXPECT_EQ(parse_duration_ns(format_duration(*x)), x) << text;
  }
  for (const auto& x : {parse_rate_per_s(text), parse_bytes_per_s(text), parse_flop_per_s(text), parse_number(text)})
    EXPECT_TRUE(!x || *x == *x) << text << " is no number";
  (void)parse_integer(text);
}

void scenario(std::string_view text, const std::string& path) {
  const std::string out = resolved_yaml(parse_scenario(text, path));
  EXPECT_EQ(resolved_yaml(parse_scenario(out, path)), out);
}

void trace(std::string_view, const std::string& path) {
  TraceOptions options;
  options.path = path;
  TraceLedger ledger;
  const auto workload = open_trace(options, ledger);
  std::vector<Request> batch(512);
  std::uint64_t rows = 0, latest = 0;
  const auto stream = workload->open();
  while (const std::size_t n = stream->read(batch))
    for (const Request& r : std::span(batch).first(n)) {
      EXPECT_EQ(r.id, rows++);
      EXPECT_TRUE(r.arrival_ns >= 0 && static_cast<std::uint64_t>(r.arrival_ns) >= latest);
      EXPECT_TRUE(r.prompt_tokens > 0 && r.output_tokens > 0);
      const PromptContent content = stream->content(r);
      EXPECT_TRUE(content.hashes.empty() ||
                  static_cast<std::int64_t>(content.hashes.size()) * content.hash_tokens <= r.prompt_tokens);
      stream->drop(r);
      latest = static_cast<std::uint64_t>(r.arrival_ns);
    }
  EXPECT_EQ(rows, ledger.kept);
}

struct Reader {
  const char* name;
  std::function<void(std::string_view text, const std::string& path)> read;
};
const Reader readers[] = {
    {"units", units},
    {"scenario", scenario},
    {"trace", trace},
    {"study", [](auto, const auto& path) { (void)load_study(path, {}, {}, {}); }},
    {"hardware", [](auto text, const auto& path) { (void)parse_hardware(text, path); }},
    {"model", [](auto text, const auto& path) { (void)parse_model(text, path); }},
    {"profile", [](auto text, const auto& path) { (void)parse_profile(text, path); }},
    {"probe", [](auto text, const auto& path) { (void)parse_probe(text, path); }},
    {"requests_log", [](auto text, const auto& path) { (void)fit_engine_log(text, path); }},
    {"bench", [](auto, const auto& path) { (void)read_engine_log({path}); }},
    {"vllm_log", [](auto text, const auto& path) { (void)parse_vllm_log(text, path); }},
    {"measured", [](auto, const auto& path) { (void)load_measured(path); }},
    {"saved", [](auto text, const auto& path) { (void)from_saved(text, path); }},
    {"journal", [](auto, const auto& path) { (void)read_journal(path); }},
    {"vidur",
     [](auto text, const auto& path) {
       constexpr std::string_view columns[] = {"num_tokens", "time_stats.add.median"};
       (void)detail::read_vidur(text, path, columns);
     }},
};

class Corpus : public testing::TestWithParam<Reader> {
 protected:
  Corpus() : folder_(fs::temp_directory_path() / ("stowage-corpus-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~Corpus() override { fs::remove_all(folder_); }

  static std::string bytes_of(const fs::path& path) {
    std::ostringstream out;
    out << std::ifstream(path, std::ios::binary).rdbuf();
    return out.str();
  }
  /// Every file of a corpus, by name.
  [[nodiscard]] static std::vector<fs::path> files(const std::string& reader) {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(source_dir() + "/tests/fuzz/corpus/" + reader))
      out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
  }

  /// False when something other than an answer or a refusal comes out; the text then stands in the test's output.
  [[nodiscard]] bool read(const std::string& text, const std::string& name) {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << text;
    try {
      GetParam().read(text, path);
    } catch (const InputError& e) {
      EXPECT_FALSE(e.problems().empty());
      for (const Problem& p : e.problems()) {
        const std::string line = p.str();
        EXPECT_TRUE(std::none_of(line.begin(), line.end(), [](unsigned char c) { return c < 32 || c == 127; })) << line;
        EXPECT_LT(p.message.size(), 2000U) << line;
      }
    } catch (const InfeasibleError&) {  // read, but there is no such thing
    } catch (const EnvironmentError& e) {
      EXPECT_NE(std::string(e.what()).find(name), std::string::npos) << e.what();
    } catch (const std::exception& e) { ADD_FAILURE() << typeid(e).name() << ": " << e.what(); }
    return !HasFailure();
  }

 private:
  fs::path folder_;
};

std::uint64_t damages() {
  const char* given = std::getenv("STOWAGE_FUZZ_FILES");
  return given == nullptr ? 60 : std::strtoull(given, nullptr, 10);
}

std::string damage(std::string text, Rng& rng) {
  static const std::string_view pieces[] = {"-1",     "1e309",  "1e18",   "nan",  "inf", "null", "[]",    "{}",
                                            "\"\"",   "{\"a", "\x00\x01", "\xff", "\n",  ",",    ": ",    "- ",
                                            "&a *a",  "<<: ",  "010",    "true", "'",   "\"",   "\t",    "---\n",
                                            "99999999999999999999", "0x7f", "1.5", "#", "%", "\\u0000", "\r"};
  for (std::uint64_t n = 1 + rng.below(3); n > 0 && !text.empty(); --n) {
    const std::size_t at = rng.below(text.size() + 1), length = rng.below(std::min<std::size_t>(12, text.size()) + 1);
    switch (rng.below(6)) {
      case 0: text.replace(std::min(at, text.size()), length, pieces[rng.below(std::size(pieces))]); break;
      case 1: text.insert(at, pieces[rng.below(std::size(pieces))]); break;
      case 2: text.erase(std::min(at, text.size() - 1), length + 1); break;
      case 3: text[std::min(at, text.size() - 1)] = static_cast<char>(rng.below(256)); break;
      case 4: text.insert(at, text.substr(rng.below(text.size()), 1 + rng.below(60))); break;
      default: text.resize(at);
    }
  }
  return text;
}

TEST_P(Corpus, IsReadOrRefused) {
  const auto all = files(GetParam().name);
  ASSERT_FALSE(all.empty());
  for (const fs::path& file : all) ASSERT_TRUE(read(bytes_of(file), file.filename().string())) << file;
}

TEST_P(Corpus, DamagedIsReadOrRefused) {
  for (const fs::path& file : files(GetParam().name)) {
    const std::string whole = bytes_of(file);
    for (std::uint64_t seed = 0; seed < damages(); ++seed) {
      Rng rng(seed, file.filename().string());
      const std::string text = damage(whole, rng);
      ASSERT_TRUE(read(text, file.filename().string())) << file << ", seed " << seed << ":\n" << text;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Every, Corpus, testing::ValuesIn(readers), [](const auto& row) { return row.param.name; });
}  // namespace
}  // namespace stowage
