// Keys and values that nobody means. Whatever is typed is shown again by
// resolved.yaml, or refused; and what one command refuses, all refuse with the
// same words. Seeded: a failure prints the file, the words and the seed.
// STOWAGE_FUZZ=10000 looks longer, STOWAGE_FUZZ_FROM=17 begins at another seed,
// STOWAGE_FUZZ_EVERY=1 tries each text in each place.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/rng.hpp"
#include "scenario/scenario.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/doors.hpp"
#include "tests/fuzz/meaning.hpp"
#include "tests/fuzz/nonsense.hpp"
#include "tests/unit/planner/helpers.hpp"

namespace stowage::fuzz {
namespace {
using What = Edit::What;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* given = std::getenv(name);
  return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

std::string trimmed(std::string text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && blank(text.back())) text.pop_back();
  while (!text.empty() && blank(text.front())) text.erase(0, 1);
  return text;
}

/// What was typed, without quotes, and in a file without a comment.
std::string meant(std::string text, bool file) {
  text = trimmed(std::move(text));
  if (text.empty()) return text;
  const bool quoted = text.size() >= 2 && (text[0] == '"' || text[0] == '\'');
  if (quoted && (file || text.back() == text.front()))
    return ConfigDocument::parse(text, "").root().text();
  if (file && (text[0] == '>' || text[0] == '|')) return trimmed(ConfigDocument::parse(text, "").root().text());
  if (const auto hash = text.find(" #"); file && hash != std::string::npos) text = trimmed(text.substr(0, hash));
  return text;
}

/// A quote that its own line does not close goes on over the next ones: all of that was typed.
Edit whole_quote(Edit edit, const std::string& file) {
  const bool opens = edit.what == What::value && (edit.text.starts_with('"') || edit.text.starts_with('\''));
  if (!opens || edit.text.find(edit.text[0], 1) != std::string::npos) return edit;
  try {
    edit.text = flow_text(ConfigDocument::parse(file, "").find(edit.path));
  } catch (const InputError&) { return edit; }  // the last quote of the file
  return edit;
}

/// Paths are shown from the file's own folder, however they were typed.
bool same_path(const std::string& typed, const std::string& shown) {
  return std::filesystem::path(typed).lexically_normal() == std::filesystem::path(shown).lexically_normal();
}

bool shows(const Verdict& v, const std::string& path, const std::string& typed) {
  for (const std::string& point : v.cannot_be)
    if (path.starts_with(point)) return true;
  const std::string found_at = resolved_path(path);
  if (typed == "auto" && found_at == "memory.kv_dtype") return true;  // vLLM's word for the model's own
  if (found_at == "workload.synthetic.preset") return true;  // what it stands for is shown instead
  if (found_at == "spare" && typed.starts_with("N"))  // N replicas are needed: N+1 is one to spare
    return v.shown.at(found_at) == (typed == "N" ? "0" : typed.substr(2));
  for (const std::string& at : {found_at, found_at + ".fixed"}) {
    const auto found = v.shown.find(at);
    if (found == v.shown.end()) continue;
    const std::string shown = trimmed(found->second);  // of a block of text with its line break
    if (same_meaning(typed, shown) || same_path(typed, shown) || trimmed(typed) == shown) return true;
  }
  return false;
}

/// A list, each of whose values is shown.
bool shows_list(const Verdict& v, const std::string& path, const std::string& typed) {
  if (!typed.starts_with("[")) return false;
  const ConfigNode list = ConfigDocument::parse(typed, "").root();
  for (std::size_t i = 0; i < list.size(); ++i)
    if (list[i].kind() != ConfigNode::Kind::scalar || !shows(v, fmt::format("{}[{}]", path, i), list[i].text()))
      return false;
  return list.size() > 0;
}

bool printable(const std::string& line) {
  return std::all_of(line.begin(), line.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
}

/// "--set #1: error: x" without its place.
std::vector<std::string> without_places(const std::vector<std::string>& lines) {
  std::vector<std::string> out;
  for (const std::string& line : lines) out.push_back(line.substr(std::min(line.find("error: "), line.size())));
  return out;
}

/// A text that YAML takes as it is, and --vary as one value.
bool plain(const std::string& text) {
  constexpr std::array<std::string_view, 4> nothing = {"~", "null", "Null", "NULL"};
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '/' || c == '.'; }) &&
         text.find("..") == std::string::npos && std::find(nothing.begin(), nothing.end(), text) == nothing.end();
}

/// Every key may be written with dashes, as vLLM's flags are.
bool dashed(std::string key, const std::string& path) {
  std::replace(key.begin(), key.end(), '-', '_');
  return path == key || path.ends_with("." + key);
}

struct Kind;

class Values : public ::testing::Test {
 public:
  void write(const std::string& name, const std::string& text) { (void)folder_.file(name, text); }

  void hold_form(const Verdict& v) {
    EXPECT_NE(v.what, Verdict::What::crashed) << v.text();
    EXPECT_TRUE(v.what == Verdict::What::accepted || !v.lines.empty());
    for (const auto& line : v.lines) EXPECT_TRUE(printable(line)) << v.text();
    ++verdicts_[static_cast<std::size_t>(v.what)];
  }
  /// An edit is refused, does not fit, or is shown as it was typed.
  void hold_shown(const Verdict& v, const Edit& edit, bool file, bool may_be_list = false) {
    hold_form(v);
    if (v.what != Verdict::What::accepted) return;
    if (edit.what != What::value) {
      EXPECT_TRUE(dashed(edit.text, edit.path)) << "the key was accepted";
      return;
    }
    const std::string typed = meant(edit.text, file);
    if (!edit.leaf) {  // a map that says nothing is as good as none; a list is
                       // judged by its values
      EXPECT_TRUE(shows(v, edit.path, typed) || typed == "{}" || typed.empty() || typed == "~" || typed == "null" ||
                  typed == "Null" || typed == "NULL" || typed.starts_with("#") || may_be_list ||
                  shows_list(v, edit.path, typed))
          << "accepted in place of a map";
      return;
    }
    if (may_be_list && (typed.find("..") != std::string::npos || typed.starts_with("["))) return;
    EXPECT_TRUE(shows(v, edit.path, typed)) << "accepted, and shown as something else: "
                                            << (v.shown.contains(edit.path) ? v.shown.at(edit.path) : "nothing");
  }
  void hold_same(const Verdict& run, const Verdict& other, std::string_view command) {
    hold_form(other);
    EXPECT_EQ(run.refused(), other.refused()) << command << ": " << other.text() << "\nrun: " << run.text();
    if (run.refused() && other.refused()) { EXPECT_EQ(run.lines, other.lines) << command; }
  }

  /// The program itself: what is refused is refused by each command, with these
  /// words and exit code 2.
  void by_program(const std::string& file, const Verdict& run) {
    const char* program = std::getenv("STOWAGE_CLI");
    if (program == nullptr) return;
    const std::string said = folder_.path("said");
    std::string lines;
    for (const auto& line : run.lines) lines += line + "\n";
    for (const std::string command : {"run ", "check ", "sweep ", "plan ", "fit --scenario "}) {
      const int status = std::system(
          fmt::format("'{}' {}'{}' >'{}.out' 2>'{}' </dev/null", program, command, file, said, said).c_str());
      std::ostringstream text;
      text << std::ifstream(said).rdbuf();
      EXPECT_EQ(WEXITSTATUS(status), 2) << command;
      EXPECT_EQ(text.str(), lines) << command;
    }
  }

  void scenario_in_a_file(const ConfigNode& root, Edit edit) {
    const std::string file = folder_.path("case.yaml");
    write("case.yaml", edited(root, edit));
    const Verdict run = by_run(file);
    hold_shown(run, edit, true);
    hold_same(run, by_sweep(file), "sweep");
    if (!edit.path.starts_with("name"))
      hold_same(run, by_sweep(folder_.file("around.yaml", "scenario: case.yaml\nspace: {name: [a, b]}\n")), "study");
    if (!run.refused()) return;
    overridden(root, edit, run);
    hold_same(run, by_plan(file), "plan");
    if (refused_++ % 25 == 0) by_program(file, run);
  }
  /// The axis of a study stands where the edit is, with the value that was
  /// there: no point has the edit, and all the same it is refused as by `run`.
  void overridden(const ConfigNode& root, const Edit& edit, const Verdict& run) {
    const ConfigNode good = ConfigDocument::part(root, "case.yaml").find(edit.path);
    if (edit.what != What::value || !good) return;
    const std::string study = fmt::format("scenario: case.yaml\nspace: {{'{}': [{}]}}\n", edit.path, flow_text(good));
    // A point may have faults of its own: a lone quote swallows the rest of the file.
    const Verdict over = by_sweep(folder_.file("over.yaml", study));
    hold_form(over);
    for (const std::string& line : run.lines)
      EXPECT_NE(std::find(over.lines.begin(), over.lines.end(), line), over.lines.end())
          << "an axis over it: " << over.text() << "\nrun: " << line;
  }
  void scenario_by_set(const ConfigNode& root, Edit edit) {
    edit.what = What::value;
    const std::string file = folder_.path("case.yaml");
    write("case.yaml", edited(root, {What::value, "", "", true}));
    const Words sets = {edit.path + "=" + edit.text};
    const Verdict run = by_run(file, sets);
    hold_form(run);
    if (!edit.text.empty()) hold_shown(run, edit, false);
    hold_same(run, by_sweep(file, sets), "sweep");
    if (edit.text.empty()) return;
    const Verdict vary = by_study(file, sets);
    hold_form(vary);
    if (vary.what == Verdict::What::accepted && edit.leaf && run.refused()) {
      // Several values, or a range: each of them is right.
      EXPECT_TRUE(edit.text.find_first_of(",[") != std::string::npos || edit.text.find("..") != std::string::npos)
          << "--vary takes what --set refuses: " << run.text();
    }
    if (vary.refused() && run.refused() && plain(edit.text)) {
      EXPECT_EQ(without_places(run.lines), without_places(vary.lines)) << "--vary";
    }
    if (vary.what == Verdict::What::accepted && edit.leaf && edit.text.find_first_of(",[{") == std::string::npos &&
        edit.text.find("..") == std::string::npos) {
      EXPECT_TRUE(shows(vary, "space." + edit.path + "[0]", meant(edit.text, false))) << "--vary shows another value";
    }
  }

  void study(const ConfigNode& root, Edit edit) {
    const std::string file = folder_.file("case.yaml", edited(root, edit));
    const Verdict study = by_study(file);
    hold_shown(study, edit, true, edit.path.starts_with("space"));
    if (study.refused()) hold_same(study, by_plan(file), "plan");
  }
  void hardware(const ConfigNode& root, Edit edit) {
    const std::string text = edited(root, edit);
    hold_shown(by_hardware(folder_.file("case.yaml", text)), whole_quote(edit, text), true);
  }
  void model(const ConfigNode& root, Edit edit) {
    const std::string text = edited(root, edit);
    hold_shown(by_model(folder_.file("case.yaml", text)), whole_quote(edit, text), true);
  }
  /// Written by programs, with keys that are not ours to judge: only the
  /// shapes' values are.
  void huggingface(const ConfigNode& root, Edit edit) {
    edit.what = What::value;
    const Verdict v = by_model(folder_.file("config.json", edited(root, edit)));
    hold_form(v);
    const std::string typed = trimmed(edit.text);  // null is what programs write for what they leave out
    const bool null =
        typed.empty() || typed[0] == '#' || typed == "~" || typed == "null" || typed == "Null" || typed == "NULL";
    if (!null && resolved_path(edit.path) != edit.path) hold_shown(v, edit, true);
  }

  bool judge(const Kind& kind, const Seed& of, const ConfigNode& root, const Edit& edit, std::uint64_t seed);

  stowage::testing::TempFolder folder_;
  std::uint64_t refused_ = 0;
  std::uint64_t failed_ = 0;
  int failed_parts_ = 0;
  std::array<std::uint64_t, 4> verdicts_{};
};

struct Kind {
  std::vector<Seed> seeds;
  std::uint64_t weight;
  void (Values::*hold)(const ConfigNode&, Edit);
};

std::vector<Kind> kinds_in(const std::string& folder) {
  return {{scenario_seeds(folder), 8, &Values::scenario_in_a_file},
          {scenario_seeds(folder), 4, &Values::scenario_by_set},
          {short_seeds(), 1, &Values::scenario_in_a_file},
          {study_seeds(), 4, &Values::study},
          {hardware_seeds(), 2, &Values::hardware},
          {model_seeds(), 2, &Values::model},
          {huggingface_seeds(), 1, &Values::huggingface}};
}

/// Judges one edit; false after so many failures that no one reads more.
bool Values::judge(const Kind& kind, const Seed& of, const ConfigNode& root, const Edit& edit, std::uint64_t seed) {
  SCOPED_TRACE(fmt::format("seed {}: {} of {}{}: '{}'", seed,
                           (edit.what == What::value ? "value " : "key ") + edit.path, of.name,
                           kind.hold == &Values::scenario_by_set ? " by --set" : "", edit.text));
  (this->*kind.hold)(root, edit);
  const int parts = ::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
  if (parts > failed_parts_) ++failed_;
  failed_parts_ = parts;
  return failed_ < 40;
}

TEST_F(Values, AreShownAsTypedOrRefusedByAllCommands) {
  write_side_files(folder_.path());
  const std::uint64_t runs = from_environment("STOWAGE_FUZZ", 200), first = from_environment("STOWAGE_FUZZ_FROM", 0);
  const std::vector<Kind> kinds = kinds_in(folder_.path());
  std::uint64_t weights = 0;
  for (const Kind& kind : kinds) weights += kind.weight;
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    Rng rng(seed, "values");
    auto dice = rng.below(weights);
    const Kind* kind = kinds.data();
    for (; dice >= kind->weight; ++kind) dice -= kind->weight;
    const Seed& of = kind->seeds[rng.below(kind->seeds.size())];
    const ConfigNode root = ConfigDocument::parse(of.text, of.name).root();
    if (!judge(*kind, of, root, random_edit(root, rng), seed)) break;
  }
  const auto count = [&](Verdict::What what) { return verdicts_[static_cast<std::size_t>(what)]; };
  fmt::print("{} runs: {} verdicts accepted, {} infeasible, {} refused\n", runs, count(Verdict::What::accepted),
             count(Verdict::What::infeasible), count(Verdict::What::refused));
  // Edits that all are refused, or none, would test nothing.
  EXPECT_GT(count(Verdict::What::accepted), runs / 20);
  EXPECT_GT(count(Verdict::What::refused), runs / 2);
}

/// Every value of every file, and every nonsense: some 90,000 pairs, of which a whole run takes each
/// STOWAGE_FUZZ_EVERY-th.
TEST_F(Values, EachMeetsEachNonsense) {
  write_side_files(folder_.path());
  const std::uint64_t every = from_environment("STOWAGE_FUZZ_EVERY", 499);
  std::uint64_t pair = 0, judged = 0;
  for (const Kind& kind : kinds_in(folder_.path()))
    for (const Seed& of : kind.seeds) {
      const ConfigNode root = ConfigDocument::parse(of.text, of.name).root();
      for (const Edit& place : places_in(root))
        for (const std::string_view text : nonsense()) {
          if (++pair % every != 0) continue;
          Edit edit = place;
          edit.text = text;
          ++judged;
          if (!judge(kind, of, root, edit, pair)) return;
        }
    }
  fmt::print("{} of {} pairs\n", judged, pair);
  EXPECT_GT(judged, 100U);
}
}  // namespace
}  // namespace stowage::fuzz
