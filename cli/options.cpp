#include "cli/options.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/config.hpp"
#include "base/error.hpp"
#include "cli/about.hpp"
#include "cli/arguments.hpp"
#include "cli/setting_lists.hpp"

namespace stowage::cli {
namespace {
class Parser {
 public:
  Parser() : app_("Which KV-cache memory manager, on which hardware, serves this traffic, at what cost?", "stowage") {
    app_.set_help_flag("-h,--help", "Say what there is, and stop");
    app_.add_flag("--version", version_, "Version and build");
    app_.add_flag("--licenses", licenses_, "Licences of what is built in");
    app_.footer("Exit codes: 0 ok; 1 the tool or its surroundings failed; 2 bad usage, scenario or trace;\n"
                "3 SLO not met (--assert-slo); 4 infeasible; 130/143 interrupted. More: docs/cli.md");
    app_.require_subcommand(0, 1);  // so that a folder may be called as a command is: stowage report plan
    add_run(), add_calibrate();
    add_report(), add_plan();
    add_sweep(), add_compare();
    add_validate();
    add_check();
    add_fit();
    add_trace();
    add_show("model", "a zoo name, a YAML file, or a Hugging Face config.json",
             "Model architectures: parameters, weights, KV bytes per token");
    add_show("hardware", "a name from the list, or a YAML file", "GPUs and links the simulator knows");
    input(app_.add_subcommand("schema", "JSON Schema of a scenario, study or summary; reference: all keys, for people"),
          "KIND", "which of these");
    input(app_.add_subcommand("completion", "Shell completion, as in: eval \"$(stowage completion bash)\""), "SHELL",
          "bash, zsh or fish");
  }

  Options parse(int argc, const char* const* argv) {
    options_.command_line = recorded_command(argc, argv);
    refuse_unknown_commands(argc, argv);
    try {
      app_.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
      options_.message = app_.help();  // of the subcommand, when one was given
      return options_;
    } catch (const CLI::ExtrasError&) {
      throw InputError({}, unexpected_argument());
    } catch (const CLI::ParseError& error) {
      throw InputError({}, fmt::format("{}; see '{} --help'", error.what(), spoken_command()));
    }
    finish();
    return options_;
  }

  std::vector<CommandInfo> table() {
    std::vector<CommandInfo> out;
    for (auto* command : app_.get_subcommands({})) {
      out.push_back({command->get_name(), option_names(command)});
      for (auto* verb : command->get_subcommands({})) {
        out.push_back({command->get_name() + " " + verb->get_name(), option_names(verb)});
      }
    }
    return out;
  }

 private:
  void add_run() {
    auto* run = app_.add_subcommand("run", "Simulate a scenario under each of its memory managers");
    input(run, "SCENARIO", "scenario file (YAML)");
    add_set(run);
    run->add_option("-o,--output", options_.output,
                    "Folder for report.html, summary.json, requests.csv, memory.csv, trace.perfetto.json and more")
        ->type_name("DIR");
    run->add_flag("--force", options_.force, "Replace the results that the folder holds");
    add_format(run, tables);
    run->add_option("--seed", seed_, "Seed of everything random; the same as --set seed=N")->type_name("N");
    run->add_option("--jobs", jobs_, "Threads (default: one a core); the output does not depend on it")
        ->type_name("N");
    run->add_flag("--quiet", options_.quiet, "No progress on stderr");
    run->add_flag("--iterations", options_.iterations, "Also write iterations.csv, a row an iteration (needs -o)");
    run->add_flag("--steps", options_.steps, "Also write steps.csv, what the scheduler decided in each (needs -o)");
    run->add_flag("--sensitivity", options_.sensitivity,
                  "Simulate again with other rates, lengths, memory and page sizes; for the page and the JSON");
    run->add_flag("--assert-slo", options_.assert_slo, "Exit with 3 unless every manager meets the scenario's slo");
  }

  void add_calibrate() {
    auto* calibrate = app_.add_subcommand("calibrate", "Turn what gpu_probe measured into a profile with its errors");
    input(calibrate, "PROBE", "probe files of one kind of GPU; the first that has a part is its anchor", many);
    calibrate->add_option("-o,--output", options_.output, "Profile to write (default: stdout)")->type_name("FILE");
    calibrate->add_option("--report", options_.report, "HTML page with error tables and plots")->type_name("FILE");
    calibrate->add_option("--engine-log", options_.engine_log, "Fit coarse prices to an engine's request log instead")
        ->type_name("FILE");
    calibrate->add_option("--vidur", options_.vidur, "Read Vidur's published kernel times instead")->type_name("DIR");
    calibrate->add_option("--hardware", options_.hardware, "Zoo name (default: by the GPU's name)")->type_name("NAME");
    calibrate->add_flag("--force", options_.force, "Replace the files");
  }

  void add_report() {
    auto* report = app_.add_subcommand("report", "Make the page of a result folder again, or one page of several");
    input(report, "DIR", "folders that `run -o` wrote", many);
    report->add_option("-o,--output", options_.output, "Page to write (default, of one folder: DIR/report.html)")
        ->type_name("FILE");
    report->add_flag("--force", options_.force, "Replace the file");
  }

  void add_plan() {
    auto* plan = app_.add_subcommand("plan", "The cheapest hardware and configuration that meets an SLO");
    input(plan, "STUDY", "study file (YAML)");
    add_set(plan);
    plan->add_option("--vary", options_.vary, "Add to the study's space, as cluster.tensor=1,2,4")
        ->type_name("KEY=VALUES")->take_all()->allow_extra_args(false);
    plan->add_option("-o,--output", options_.output, "Folder for report.html and plan.json")->type_name("DIR");
    plan->add_flag("--force", options_.force, "Replace the results that the folder holds");
    add_format(plan, tables);
    plan->add_flag("--commands", options_.commands, "Print how to get each of the ten best, not the first only");
    plan->add_option("--seed", seed_, "Seed of everything random; the same as --set seed=N")->type_name("N");
    plan->add_option("--jobs", jobs_, "Threads (default: one a core); the output does not depend on it")
        ->type_name("N");
    plan->add_flag("--quiet", options_.quiet, "No progress on stderr");
    plan->add_flag("--assert-slo", options_.assert_slo,
                   "Exit with 3 unless the planned fleet meets the slo when simulated");
  }

  void add_compare() {
    auto* compare = app_.add_subcommand("compare", "Two results side by side: folders or summary.json");
    input(compare, "A B", "result folders of 'run', or their summary.json", 2);
    compare->add_option("-o,--output", options_.output, "Folder for report.html and compare.json")->type_name("DIR");
    compare->add_flag("--force", options_.force, "Replace the results that the folder holds");
    add_format(compare, tables);
    compare->add_flag("--assert-slo", options_.assert_slo, "Exit with 3 unless B meets its scenario's SLO");
  }

  void add_sweep() {
    auto* sweep = app_.add_subcommand("sweep", "Simulate every point of a space; sharded, resumable, on a cluster");
    input(sweep, "STUDY", "study or scenario file (YAML)");
    add_set(sweep);
    sweep->add_option("--vary", options_.vary, "Vary one key, as cluster.tensor=1,2,4 or workload.rate_scale=1..8:15")
        ->type_name("KEY=VALUES")->take_all()->allow_extra_args(false);
    sweep->add_option("-o,--output", options_.output, "Folder for journals, sweep.csv, report.html")->type_name("DIR");
    sweep->add_option("--shard", options_.shard, "Only this part, as 3/20 (needs -o)")->type_name("I/N");
    sweep->add_flag("--merge", options_.merge, "Put the parts in -o together; names what is missing");
    sweep->add_option("--engine", options_.engine, "local (default), slurm or parallel")->type_name("ENGINE");
    sweep->add_option("--tasks", tasks_, "Parts for slurm or parallel (default: some minutes each)")->type_name("N");
    add_format(sweep, tables);
    sweep->add_option("--seed", seed_, "Seed of everything random; the same as --set seed=N")->type_name("N");
    sweep->add_option("--jobs", jobs_, "Threads (default: one a core)")->type_name("N");
    sweep->add_flag("--quiet", options_.quiet, "No progress on stderr");
  }

  void add_validate() {
    auto* validate = app_.add_subcommand("validate", "Compare a measured run with its prediction");
    validate->add_option("MEASURED", options_.inputs,
                         "Folder that gpu_probe replay wrote, or its measured.json; of a logged engine with --steps")
        ->expected(0, 1)->type_name("");
    validate->add_option("--profile", options_.profile, "Profile that prices it (default: the shipped one)")
        ->type_name("FILE");
    validate->add_flag("--steps", options_.steps, "Replay the log of a real engine's steps, and compare each decision");
    validate->add_option("--engine-log", options_.engine_logs,
                         "Instead: result of vllm bench serve --save-detailed; also the engine's start-up log")
        ->type_name("FILE");
    validate->add_option("--scenario", options_.scenario, "What the engine ran, for --engine-log")->type_name("FILE");
    add_set(validate);
    validate->add_option("--report", options_.report, "HTML page with tables and plots")->type_name("FILE");
    validate->add_flag("--force", options_.force, "Replace the page");
    add_format(validate);
  }

  void add_check() {
    auto* check = app_.add_subcommand("check", "Check scenario, model and hardware files; simulates nothing");
    input(check, "FILE", "YAML files, or a model's config.json", many);
    add_set(check);
  }

  /// Options kept as written; the subcommand reads them.
  void add_settings(CLI::App* app, const std::vector<Setting>& list) {
    for (const Setting& s : list)
      app->add_option_function<std::string>(
             fmt::format("--{}", s.name), [this, name = s.name](const std::string& v) { options_.settings[name] = v; },
             s.about)->type_name(s.value);
  }
  void add_layout(CLI::App* app) {
    add_settings(app, layout_settings());
  }

  void add_fit() {
    auto* fit = app_.add_subcommand("fit", "What fits: memory budget, sequences by manager, waste; no simulation");
    add_settings(fit, fit_settings());
    add_layout(fit);
    add_format(fit);
  }

  void add_trace() {
    auto* trace = app_.add_subcommand("trace", "Request traces: look into, convert, generate");
    auto* info = trace->add_subcommand("info", "Rate, burstiness and lengths of a trace");
    auto* convert = trace->add_subcommand("convert", "Write a trace as arrival_ns,prompt_tokens,output_tokens");
    auto* synth = trace->add_subcommand("synth", "Generate a trace from published quantiles");
    for (auto* sub : {info, convert}) {
      input(sub, "TRACE", "trace file");
      sub->add_option("--rate-scale", rate_scale_, "2 = the same requests at twice the rate")->type_name("X");
      sub->add_option("--limit", limit_, "Only the first N rows")->type_name("N");
      sub->add_option("--repeat", repeat_, "The trace N times, one copy after the other")->type_name("N");
      sub->add_option("--hash-block-size", hash_block_size_, "Tokens that one hash stands for (default: the format's)")
          ->type_name("N");
    }
    add_format(info);
    input(synth, "PRESET", "name of a preset, as azure-conv-2023");
    synth->add_option("--count", count_, "Number of requests (default: the preset's)")->type_name("N");
    synth->add_option("--seed", seed_, "Seed (default: 0)")->type_name("N");
    for (auto* sub : {convert, synth}) {
      sub->add_option("-o,--output", options_.output, "File to write (default: stdout)")->type_name("FILE");
      sub->add_flag("--force", options_.force, "Replace the file");
    }
  }

  void add_show(const std::string& name, const std::string& what, const std::string& about) {
    auto* group = app_.add_subcommand(name, about);
    auto* show = group->add_subcommand("show", "Everything about one");
    input(show, "NAME", what);
    add_format(show);
    if (name == "model") {
      show->add_option_function<std::string>(
              "--graph", [this](const std::string& v) { options_.settings["graph"] = v; },
              "The operators of a step with their prices; dot = for Graphviz")
          ->type_name("[FORM]")->expected(0, 1)->default_str("text");
      add_layout(show);
      add_settings(show, graph_settings());
    }
    add_format(group->add_subcommand("list", "One line each"));
  }

  /// The positional arguments. How many there may be is judged by finish(), after mistyped options were told.
  void input(CLI::App* app, const std::string& name, const std::string& about, std::size_t at_most = 1) {
    needed_.push_back({app, name, at_most});
    app->add_option(name, options_.inputs, about)->type_name("");
  }
  void add_set(CLI::App* app) {
    // Without take_all and allow_extra_args(false) CLI11 lets --set swallow the positional arguments that follow.
    app->add_option("--set", options_.set, "Set one key of the scenario, as cluster.tensor=2 (repeatable)")
        ->type_name("KEY=VALUE")->take_all()->allow_extra_args(false);
  }
  void add_format(CLI::App* app, bool with_tables = false) {
    const char* const known = with_tables ? "text (default), json, csv or markdown" : "text (default) or json";
    app->add_option("--format", format_, known)->type_name("FORMAT");
    if (with_tables) tabled_.push_back(app);
  }

  static std::vector<std::string> option_names(const CLI::App* app) {
    std::vector<std::string> out;
    for (const auto* option : app->get_options()) {
      for (const auto& name : option->get_lnames()) out.push_back("--" + name);
      for (const auto& name : option->get_snames()) out.push_back("-" + name);
    }
    return out;
  }

  /// CLI11 says no more of `stowage rum` than that an argument was not expected.
  void refuse_unknown_commands(int argc, const char* const* argv) {
    CLI::App* group = &app_;
    std::string path = "stowage";
    for (int i = 1; !group->get_subcommands({}).empty(); ++i) {
      std::vector<std::string> names;
      for (const auto* sub : group->get_subcommands({})) names.push_back(sub->get_name());
      if (i >= argc) throw InputError({}, fmt::format("'{}' needs one of: {}", path, fmt::join(names, ", ")));
      const std::string word = argv[i];
      if (word.starts_with('-')) return;
      if (std::find(names.begin(), names.end(), word) == names.end()) {
        throw InputError({}, fmt::format("'{}' has no command '{}'{} (known: {})", path, word, near(word, names),
                                         fmt::join(names, ", ")));
      }
      group = group->get_subcommand(word);
      path += " " + word;
    }
  }

  CLI::App* selected() {
    CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
    return app;
  }
  /// "stowage trace info"
  std::string spoken_command() {
    std::string out = "stowage";
    for (CLI::App* app = &app_; !app->get_subcommands().empty();) {
      app = app->get_subcommands().front();
      out += " " + app->get_name();
    }
    return out;
  }

  std::string unexpected_argument() {
    const auto extra = app_.remaining(true);
    const std::string word = extra.empty() ? "" : extra.front();
    if (!word.starts_with('-')) return fmt::format("'{}' takes no further argument '{}'", spoken_command(), word);
    const std::string name = word.substr(0, word.find('='));
    return fmt::format("'{}' has no option '{}'{}", spoken_command(), name, near(name, option_names(selected())));
  }

  static std::string near(std::string_view wrong, const std::vector<std::string>& names) {
    const std::vector<std::string_view> views(names.begin(), names.end());
    return did_you_mean(wrong, views);
  }

  /// An empty name is most often a variable that is not set: without a word the result would be lost.
  void check_output() const {
    const std::string& name = options_.output;
    if (name.empty()) throw InputError({}, "-o: the name is empty; write -o DIR, or leave -o out");
    if (std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
      throw InputError({}, fmt::format("-o: '{}' holds a control character; choose another name", shown(name)));
  }

  /// Checks what CLI11 was not asked to check, and turns texts into numbers.
  void finish() {
    if (version_ || licenses_) {
      options_.message = version_ ? version_text() : licences_text();
      return;
    }
    const auto* command = selected();
    options_.command = spoken_command().substr(std::min<std::size_t>(spoken_command().size(), sizeof("stowage")));
    if (options_.command.empty()) throw InputError({}, "no command given; see 'stowage --help'");
    for (const auto& [app, name, at_most] : needed_) {
      if (app != command) continue;
      if (options_.inputs.empty() && options_.engine_log.empty() && options_.vidur.empty()) {
        throw InputError({}, fmt::format("{} is missing; write: {} {}", name, spoken_command(), name));
      }
      if (options_.inputs.size() > at_most) {
        throw InputError({}, fmt::format("'{}' takes one {}; what is '{}'?", spoken_command(), name,
                                         options_.inputs[at_most]));
      }
    }
    if (const auto* output = command->get_option_no_throw("--output"); output != nullptr && output->count() > 0)
      check_output();
    constexpr auto int_max = std::numeric_limits<std::int64_t>::max();
    const bool with_tables = std::ranges::find(tabled_, command) != tabled_.end();
    if (with_tables && (format_ == "csv" || format_ == "markdown")) options_.format = format_;
    else if (format_ != "text" && format_ != "json") {
      throw InputError({}, fmt::format("--format: no '{}'; write {}", format_,
                                       with_tables ? "text, json, csv or markdown" : "text or json"));
    }
    options_.json = format_ == "json";
    if (!seed_.empty()) options_.seed = whole_number("--seed", seed_, 0, int_max);
    if (!jobs_.empty()) options_.jobs = static_cast<int>(whole_number("--jobs", jobs_, 1, 1024));
    if (!limit_.empty()) options_.limit = static_cast<std::uint64_t>(whole_number("--limit", limit_, 1, int_max));
    if (!repeat_.empty()) options_.repeat = static_cast<std::uint64_t>(whole_number("--repeat", repeat_, 1, int_max));
    if (!hash_block_size_.empty())
      options_.hash_block_size = whole_number("--hash-block-size", hash_block_size_, 1, 10'000'000);
    if (!tasks_.empty()) options_.tasks = whole_number("--tasks", tasks_, 1, 100'000);
    if (!count_.empty()) options_.count = static_cast<std::uint64_t>(whole_number("--count", count_, 1, int_max));
    if (!rate_scale_.empty()) options_.rate_scale = positive_number("--rate-scale", rate_scale_);
    if (command->get_name() == "run" && (options_.iterations || options_.steps) && options_.output.empty())
      throw InputError({}, fmt::format("--{} writes a file: give a folder for it with -o DIR",
                                       options_.iterations ? "iterations" : "steps"));
  }

  CLI::App app_;
  Options options_;
  struct Needed {
    const CLI::App* app;
    std::string name;
    std::size_t at_most;
  };
  static constexpr std::size_t many = std::numeric_limits<std::size_t>::max();
  std::vector<Needed> needed_;
  static constexpr bool tables = true;
  std::vector<const CLI::App*> tabled_;  // those that can print CSV and Markdown
  std::string format_ = "text";
  std::string seed_, jobs_, rate_scale_, limit_, repeat_, hash_block_size_, count_, tasks_;
  bool version_ = false, licenses_ = false;
};
}  // namespace

Options parse_command_line(int argc, const char* const* argv) { return Parser().parse(argc, argv); }

std::vector<CommandInfo> command_table() { return Parser().table(); }
}  // namespace stowage::cli
