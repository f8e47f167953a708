// Every point at which a disk can fail or a command can be killed: fault_points STOWAGE SHIM SCENE. The shim (shim.c)
// makes the n-th call of the command fail, for every n and every kind of fault. Whatever happens, the result is the old
// one or the new one to the byte, an error is said and ends with 1, and the next command leaves nothing behind.
// A third of the points by default; all with STOWAGE_FAULTS=all.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "reports/folder_moves.hpp"
#include "tests/support/source_dir.hpp"

namespace {
namespace fs = std::filesystem;
using Words = std::vector<std::string>;
using Settings = std::map<std::string, std::string>;  // of the environment

/// What a command is run on, and what it may change.
struct Scene {
  std::string name;
  std::vector<Words> before;    // commands that make the old state
  Words command;                // writes what is in `targets`
  Words targets;                // folders or files; each is one thing, whole
  bool swaps = true;            // a file system that can swap folders
  Words kept_by_others = {};    // files that are there before, and after
};

constexpr const char* study = R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  workload: {synthetic: {rate: 5/s, prompt: {fixed: 100}, output: {fixed: 10}, count: 200}}
  scheduler: {max_batched_tokens: 2048, max_model_len: 2048}
  cost: {source: linear, base: 10ms}
  managers: [{kind: paged}]
space: {scheduler.max_batch: [4, 8]}
slo: {ttft_p99: 5s}
probe: {requests: 200}
search: {draws: 10}
prices: {h100-sxm-80gb: {usd_per_node_hour: 32, gpus_per_node: 8}}
)";

Words run_into(const std::string& folder, const std::string& requests, const Words& more = {}) {
  Words out = {"run", "four.yaml", "-o", folder, "--jobs", "1", "--set", "workload.requests[0].count=" + requests};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

std::vector<Scene> scenes() {
  const Words run_new = run_into("out", "5", {"--force"});
  const Words plan = {"plan", "study.yaml", "-o", "out", "--force", "--jobs", "1"};
  const Words sweep = {"sweep", "study.yaml", "-o", "out", "--jobs", "1"};
  const std::vector<Words> two = {run_into("a", "4"), run_into("b", "5")};
  return {
      {"run", {}, run_new, {"out"}},
      {"run_again", {run_into("out", "4", {"--iterations"})}, run_new, {"out"}},
      {"run_without_swap", {run_into("out", "4", {"--iterations"})}, run_new, {"out"}, false},
      {"run_beside_notes", {run_into("out", "4", {"--iterations"})}, run_new, {"out"}, true, {"out/notes.txt"}},
      {"plan", {run_into("out", "4")}, plan, {"out"}},
      {"sweep", {}, sweep, {"out"}},
      {"compare", {two[0], two[1], {"compare", "a", "a", "-o", "out"}}, {"compare", "a", "b", "-o", "out", "--force"},
       {"out"}},
      {"report", {two[0]}, {"report", "a"}, {"a"}, true, {"a/notes.txt"}},
      {"report_of_two", two, {"report", "a", "b", "-o", "page.html", "--force"}, {"page.html"}, true, {"notes.txt"}},
      {"calibrate", {}, {"calibrate", "--vidur", "vidur", "-o", "p.yaml", "--report", "p.html", "--force"},
       {"p.yaml", "p.html"}},
      {"trace", {}, {"trace", "synth", "azure-conv-2023", "--count", "99999", "-o", "t.csv", "--force"}, {"t.csv"}},
  };
}

std::string read(const fs::path& path) {
  std::stringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

fs::path temporary_folder() {
  std::string name = (fs::temp_directory_path() / "stowage-faults-XXXXXX").string();
  return ::mkdtemp(name.data());
}

struct Ended {
  int status = 0;
  std::string said;
};

class Stage {
 public:
  Stage(fs::path stowage, fs::path shim, const Scene& scene)
      : stowage_(std::move(stowage)), shim_(std::move(shim)), scene_(scene) {
    fs::create_directories(old_);
    const fs::path inputs = fs::path(stowage::source_dir()) / "tests/golden/inputs";
    fs::copy(inputs / "four.yaml", old_ / "four.yaml");
    fs::copy(inputs / "vidur", old_ / "vidur", fs::copy_options::recursive);
    std::ofstream(old_ / "study.yaml") << study;
    fs::copy(old_, here_, fs::copy_options::recursive);
    for (const Words& words : scene.before) demand(words);
    for (const std::string& file : scene.kept_by_others) std::ofstream(here_ / file) << "notes of others";
    if (scene.name == "report") std::ofstream(here_ / "a/report.html") << "an old page";
    for (const std::string& target : scene.targets)
      if (scene.before.empty() && target.find('.') != std::string::npos) std::ofstream(here_ / target) << "old";
    fs::remove_all(old_);
    fs::copy(here_, old_, fs::copy_options::recursive);
    for (const std::string& target : scene.targets) old_results_.push_back(result(target));
    demand(scene.command);
    for (const std::string& target : scene.targets) new_results_.push_back(result(target));
    after_ = tree(here_);
  }
  ~Stage() { fs::remove_all(root_); }

  /// The calls that a whole command makes.
  long count() {
    restore();
    run(scene_.command, {{"FAULT_COUNT", (root_ / "count").string()}});
    return std::atol(read(root_ / "count").c_str());
  }

  /// What is wrong after a fault at call n; "" when nothing is.
  std::string fault(long n, const std::string& kind) {
    restore();
    const Ended ended = run(scene_.command, {{"FAULT_AT", std::to_string(n)}, {"FAULT_KIND", kind}});
    std::string wrong = judge(ended, kind);
    const Ended again = run(scene_.command, {});
    if (wrong.empty() && (!WIFEXITED(again.status) || WEXITSTATUS(again.status) != 0))
      wrong = "the next command fails: " + again.said;
    if (wrong.empty() && tree(here_) != after_) wrong = "after the next command: " + differences(tree(here_), after_);
    return wrong;
  }

 private:
  using Tree = std::map<std::string, std::string>;

  static Tree tree(const fs::path& root) {
    Tree out;
    for (const auto& entry : fs::recursive_directory_iterator(root))
      out[fs::relative(entry.path(), root).string()] = entry.is_directory() ? "a folder" : read(entry.path());
    return out;
  }
  /// A target as a reader sees it: without a marker, what is there.
  Tree result(const std::string& target) const {
    const fs::path path = here_ / target;
    if (!fs::is_directory(path)) return fs::exists(path) ? Tree{{"", read(path)}} : Tree{};
    Tree out = {{"", "a folder"}};
    Words names;
    for (const fs::path& folder : {path, path / ".stowage/new"})
      if (fs::exists(folder))
        for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
    for (const std::string& name : names)
      if (name != ".stowage")
        if (const fs::path at = stowage::result_path(path, name); fs::exists(at)) out[name] = read(at);
    return out;
  }
  static std::string differences(const Tree& found, const Tree& wanted) {
    std::string out;
    for (const auto& [name, text] : wanted)
      if (!found.contains(name)) out += " " + name + " is missing;";
    for (const auto& [name, text] : found)
      if (!wanted.contains(name) || wanted.at(name) != text)
        out += " " + name + (wanted.contains(name) ? " differs;" : " is left over;");
    return out;
  }

  /// Journals grow as a sweep goes on; its pages are one thing.
  static Tree without_journals(Tree tree) {
    std::erase_if(tree, [](const auto& entry) { return entry.first.empty() || entry.first.starts_with("journal-"); });
    return tree;
  }

  std::string judge(const Ended& ended, const std::string& kind) const {
    const bool was_killed = WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGKILL;
    const int code = WIFEXITED(ended.status) ? WEXITSTATUS(ended.status) : -1;
    if (was_killed != (kind == "kill") || (!was_killed && code != 0 && code != 1))
      return "ended with status " + std::to_string(ended.status) + ": " + ended.said;
    const bool told = ended.said.find("error: ") != std::string::npos &&
                      (ended.said.find("No space left on device") != std::string::npos ||
                       ended.said.find("Input/output error") != std::string::npos);
    if (code == 1 && !told) return "failed without a reason: " + ended.said;
    const bool swapped = scene_.swaps && scene_.kept_by_others.empty() && scene_.name != "sweep";
    bool first = true;
    for (std::size_t i = 0; i < scene_.targets.size(); ++i) {
      const std::string& target = scene_.targets[i];
      if (swapped && fs::exists(here_ / target / ".stowage")) return "a marker where none is needed";
      const bool sweep = scene_.name == "sweep";
      const Tree now = sweep ? without_journals(result(target)) : result(target);
      const Tree before = sweep ? Tree{} : old_results_[i];
      const Tree after = sweep ? without_journals(new_results_[i]) : new_results_[i];
      const bool is_old = now == before, is_new = now == after;
      if (!is_old && !is_new) return target + " is neither old nor new:" + differences(now, after);
      if (code == 0 && !is_new) return "done, but " + target + " is the old one";
      // Files are each whole, not all together. Where every call fails, even putting back does; the message says so.
      const bool may_be_new = was_killed || !first || scene_.targets.size() > 1 || before == after ||
                              (kind == "dead" && ended.said.find("the new result is whole") != std::string::npos);
      if (code == 1 && !is_old && !may_be_new) return "failed, but " + target + " is the new one: " + ended.said;
      first = false;
    }
    return {};
  }

  void restore() const {
    fs::remove_all(here_);
    fs::copy(old_, here_, fs::copy_options::recursive);
  }
  void demand(const Words& words) {
    const Ended ended = run(words, {});
    if (ended.status == 0) return;
    std::printf("'%s' fails: %s\n", words.front().c_str(), ended.said.c_str());
    std::exit(2);
  }

  Ended run(const Words& words, Settings settings) {
    if (!scene_.swaps) settings["FAULT_NO_SWAP"] = "1";
    settings["LD_PRELOAD"] = shim_.string();
    const std::string out = (root_ / "said").string();
    const pid_t child = ::fork();
    if (child == 0) {
      std::vector<char*> argv = {const_cast<char*>(stowage_.c_str())};  // NOLINT: execv's signature
      for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));  // NOLINT
      argv.push_back(nullptr);
      const int said = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666), nothing = ::open("/dev/null", O_RDWR);
      if (::chdir(here_.c_str()) != 0) ::_exit(126);
      ::dup2(nothing, 0), ::dup2(nothing, 1), ::dup2(said, 2);
      for (const auto& [name, value] : settings) ::setenv(name.c_str(), value.c_str(), 1);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    Ended ended;
    ::waitpid(child, &ended.status, 0);
    ended.said = read(out);
    return ended;
  }

  fs::path stowage_, shim_;
  const Scene& scene_;
  fs::path root_ = temporary_folder(), old_ = root_ / "old", here_ = root_ / "here";
  Tree after_;
  std::vector<Tree> old_results_, new_results_;
};
}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::printf("usage: fault_points STOWAGE SHIM SCENE\n"), 2;
  const std::vector<Scene> all = scenes();
  const auto scene = std::find_if(all.begin(), all.end(), [&](const Scene& s) { return s.name == argv[3]; });
  if (scene == all.end()) return std::printf("no scene '%s'\n", argv[3]), 2;
  const char* wanted = std::getenv("STOWAGE_FAULTS");
  const long stride = wanted != nullptr && std::strcmp(wanted, "all") == 0 ? 1 : 3;
  Stage stage(fs::absolute(argv[1]), fs::absolute(argv[2]), *scene);
  const long calls = stage.count();
  long points = 0, bad = 0, shift = 0;
  for (const char* kind : {"enospc", "eio", "full", "dead", "kill", "short"}) {
    for (long n = 1 + shift; n <= calls; n += stride, ++points) {
      const std::string wrong = stage.fault(n, kind);
      if (wrong.empty()) continue;
      ++bad;
      std::printf("%s, %s at call %ld of %ld: %s\n", scene->name.c_str(), kind, n, calls, wrong.c_str());
    }
    shift = (shift + 1) % stride;
  }
  std::printf("%s: %ld points of %ld calls, %ld bad\n", scene->name.c_str(), points, calls, bad);
  return bad == 0 && points > 0 ? 0 : 1;
}
