// Writes the report pages the browser looks at: make_pages FOLDER. Real runs of the simulator under real managers, so
// that the curves look as they will; the pages that go wrong first: one manager, nothing served, hostile names, more
// managers than colours, a run cut off, series that are no numbers; a million requests; every figure of the page kit.
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "base/rng.hpp"
#include "reports/figures.hpp"
#include "reports/html.hpp"
#include "reports/json.hpp"
#include "reports/run_page.hpp"
#include "reports/saved.hpp"
#include "reports/terminal.hpp"
#include "sim/kv/registry.hpp"
#include "sim/run_config.hpp"
#include "sim/serve/simulate.hpp"

namespace stowage {
namespace {

class Memory final : public Workload {
 public:
  explicit Memory(std::vector<Request> requests) : requests_(std::move(requests)) {}
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override { return std::make_unique<Stream>(requests_); }

 private:
  class Stream final : public RequestStream {
   public:
    explicit Stream(const std::vector<Request>& all) : all_(all) {}
    std::size_t read(std::span<Request> out) override {
      const std::size_t n = std::min(out.size(), all_.size() - at_);
      std::copy_n(all_.begin() + static_cast<std::ptrdiff_t>(at_), n, out.begin());
      at_ += n;
      return n;
    }

   private:
    const std::vector<Request>& all_;
    std::size_t at_ = 0;
  };
  std::vector<Request> requests_;
};

/// Conversation-like: bursts of arrivals that rise and fall, long-tailed lengths.
std::shared_ptr<const Workload> chat(std::size_t count, double rate_per_s) {
  Rng rng(7, "browser pages");
  std::vector<Request> requests;
  double now_ns = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double swell = (i / (count / 5 + 1)) % 2 == 0 ? 0.55 : 1.45;
    const auto tokens = [&](double mu, double sigma, int most) {
      return static_cast<std::int32_t>(std::clamp(rng.lognormal(mu, sigma), 1.0, double(most)));
    };
    requests.push_back({static_cast<std::int64_t>(now_ns), tokens(6.6, 0.9, 6000), tokens(5.2, 0.7, 1500), i});
    now_ns += rng.exponential(1e9 / (rate_per_s * swell));
  }
  return std::make_shared<Memory>(std::move(requests));
}

ManagerSpec manager(std::string kind, std::map<std::string, ParamValue, std::less<>> given, std::string name = "") {
  const ManagerRow& row = *find_manager(kind);
  ManagerSpec spec = manager_spec(row);
  for (auto& [key, value] : given) spec.params[key] = value;
  spec.name = name.empty() ? row.default_name(spec) : name;
  return spec;
}

ReportInput page(std::string title, const std::vector<ManagerSpec>& specs, std::size_t count, double rate,
                 std::int64_t pool_bytes = std::int64_t{30} << 30) {
  RunConfig config;
  config.kv = {.pool = Bytes{pool_bytes}, .bytes_per_token = Bytes{131072}, .layers = 32, .gpus = 1};
  config.cost = StepCost(StepCost::Linear{6e6, 25e3, 30e3, 0.08e3});
  config.vmm = {.create_ns = 11e3, .map_ns = 1e3, .set_access_ns = 28e3, .unmap_ns = 18e3, .source = "measured"};
  config.workload = chat(count, rate);
  ReportInput input;
  RunHooks traced;
  traced.trace = true;
  for (const ManagerSpec& spec : specs) {
    config.manager = spec;
    input.runs.push_back(simulate(config, traced));
  }
  input.title = std::move(title);
  input.command = "stowage run chat.yaml --set workload.rate_scale=4 -o out/chat";
  input.version = "stowage 0.1.0";
  input.seed = "7";
  input.workload_name = "synthetic conversation";
  input.resolved_yaml = "schema: 1\nname: conversation\nmodel: llama-3-8b\nhardware: h100-sxm-80gb\n";
  input.scenario = {{"schema", 1}, {"name", input.title}};
  input.slo = {{"ttft_p99", 2e9}, {"tbt_p99", 1e8}};
  constexpr std::int64_t gib = std::int64_t{1} << 30;
  input.budget = {{"weights", 16'060'522'496},
                  {"activations", 3 * gib},
                  {"overhead", gib},
                  {"KV pool", pool_bytes, true},
                  {"not used (utilization 0.9)", 8 * gib}};
  input.kv_line = "KV cache 245,760 tokens; maximum concurrency for 8,192 tokens per request: 30.00x";
  input.ledger = "read 4,000 rows = kept 4,000 + dropped 0";
  input.cards = {
      {"Workload", {{"Requests", std::to_string(count)}, {"Prompt tokens", "p50 735, p90 2,330, p99 5,960"}}},
      {"Model", {{"Name", "llama-3-8b"}, {"KV per token", "131,072 B = 2 x 32 layers x 8 heads x 128 x 2 B"}}},
      {"Hardware", {{"GPU", "NVIDIA H100 80GB HBM3"}, {"Memory bandwidth", "3.35 TB/s"}}}};
  input.cost_source = "linear, coefficients of the scenario";
  input.evidence = Evidence::linear;
  input.notes = {"Step costs are the user's own line, not a measurement of this model on this GPU."};
  return input;
}

void write(const std::filesystem::path& folder, const std::string& name, const ReportInput& input) {
  std::ofstream(folder / (name + ".html")) << to_html(input);
  std::ofstream(folder / (name + ".json")) << run_page(input).summary_json;
  std::ofstream(folder / (name + ".txt")) << to_terminal(input);
}

/// Every figure of the kit on one page, as plan, sweep and validate will have them.
page::Page kit() {
  using namespace page;
  Page p{.kind = "test report", .title = "Every figure", .version = "stowage 0.1.0"};
  p.evidence = "measured";
  p.evidence_measured = true;
  p.verdict = {Tone::good, "PASS", "3 GPUs serve 20 requests/s.", {"The next cheaper layout misses ttft_p99."}};
  p.series = {{"paged-16"}, {"vattention-2MiB"}};
  p.summary_json = "{}";
  const Axis rate{"offered requests/s", Unit::number, false, {}, {}}, delay{"p99 TTFT", Unit::seconds, true, {}, {}};
  Pareto pareto_data{
      "Cost against latency", "Each point is a layout.", {"USD/h", Unit::number, false, {}, {}}, delay, {}, {}};
  CapacityCurve curve{"p99 TTFT against the rate", "The knee lies at 16 requests/s.", rate, delay, {}, {}, {}};
  for (const std::string& m : {std::string("paged-16"), std::string("vattention-2MiB")}) {
    Line line{.series = m};
    for (int i = 1; i <= 20; ++i) {
      const double t = 0.05 / (1.02 - i / 20.0) * (m == "paged-16" ? 1 : 1.3);
      line.x.push_back(i);
      line.y.push_back(t);
      line.low.push_back(t * 0.9);
      line.high.push_back(t * 1.15);
      if (i % 4 == 0) {
        pareto_data.candidates.push_back({"tensor " + std::to_string(i), m, "ships in vllm", i * 2.5, 3.0 / i, i > 4,
                                          m == "paged-16", "--set cluster.tensor=" + std::to_string(i)});
      }
    }
    curve.curves.push_back(std::move(line));
  }
  pareto_data.limits = {{0.5, "ttft_p99 limit", false, true}};
  curve.limits = {{1.0, "ttft_p99 limit", false, true}};
  curve.points = {{16, curve.curves[0].y[15], "knee"}, {14, curve.curves[0].y[13], "chosen"}};
  Histogram stalls{"Stalls", "Most are short.", {"stall", Unit::seconds, true, {}, {}}, "iterations", {}};
  stalls.series = {{"paged-16", "", {1e-4, 2e-4, 4e-4, 8e-4}, {10, 40, 5}}};
  Tornado changes{{"p99 TTFT", Unit::seconds, false, {}, {}}, 0.8, {}};
  changes.changes = {{"arrival rate", "20 % less", "20 % more", 0.3, 2.1, ""},
                     {"GPU memory utilization and more words", "0.81", "0.99", 1.1, {}, ""},
                     {"prefix-hit rate", "", "", {}, {}, "not modelled"}};
  HeatMap map{"rate", "block size", "p99 TTFT, s", {"5", "10", "20"}, {"16", "32"}, {0.1, 0.2, 0.9, 0.15, NAN, 1.4}};
  Timeline lives;
  lives.lanes = {{Name("paged-16, p99", "paged-16"),
                  {{"queue", 0, 1.2, 0},
                   {"prefill", 1.2, 1.5, 0.1},
                   {"decode", 1.5, 2.0, 0},
                   {"preempted", 2.0, 2.6, 0},
                   {"recompute", 2.6, 2.9, 0},
                   {"decode", 2.9, 4.0, 0.2}}}};
  p.sections = {
      {"plan", "Plan", "What it costs.", {page::pareto(pareto_data), capacity_curve(curve)}},
      {"more",
       "More",
       "The other figures.",
       {Legend{{}, true}, Figures{{histogram(stalls), tornado("What moves p99 TTFT", "The rate does.", changes)}},
        heat_map("Rate by block size", "Large blocks are slower.", map),
        timeline("One request", "It was preempted once.", lives), Code{"Command", "stowage plan study.yaml"},
        Notes{{"A note."}}}}};
  return p;
}

void write_kit(const std::filesystem::path& folder) {
  std::ofstream(folder / "kit.html") << page::to_html(kit());
  std::ofstream(folder / "kit.json") << "{}";
}

void make(const std::filesystem::path& folder) {
  write_kit(folder);
  const std::vector<ManagerSpec> three = {manager("reserve", {}), manager("paged", {}), manager("vattention", {})};
  ReportInput busy = page("Llama-3-8B on one H100, conversation traffic", three, 4000, 14);
  Sensitivity what_if;
  for (const RunResult& run : busy.runs)
    what_if.base.push_back(WhatIf::Outcome{run.ttft_ns.quantile(0.99), run.requests_per_s()});
  const auto times = [&](double f) {
    WhatIf::Outcomes out = what_if.base;
    for (auto& o : out) o->ttft_p99_ns *= f;
    return out;
  };
  what_if.changes = {{"arrival rate", "20 % less", "20 % more", "--set a=1", "--set a=2", times(0.2), times(2.5), ""},
                     {"block or page size", "half", "double", "", "", times(0.9), WhatIf::Outcomes(3), ""},
                     {"prefix-hit rate", "", "", "", "", {}, {}, "not modelled"}};
  busy.sensitivity = what_if;
  write(folder, "busy", busy);
  write(folder, "calm", page("The same at a quarter of the load", three, 1500, 2));
  write(folder, "single", page("One manager", {three[1]}, 300, 8));

  write(folder, "million", page("A million requests", {three[1], three[2]}, 1'000'000, 9));

  ReportInput folders =
      combine({{"out/a", page("One load", three, 800, 6)}, {"out/b", page("Another", three, 800, 12)}},
              "stowage report out/a out/b -o both.html");
  write(folder, "folders", folders);

  ReportInput broken = page("Cut off, and not all are numbers", three, 300, 8);
  broken.runs[0].unfinished = 40;
  broken.runs[0].completed -= 40;
  for (std::size_t i = 0; i < broken.runs[1].series.size(); i += 3) broken.runs[1].series[i].bytes.fill(std::nan(""));
  broken.runs[1].batch_mean = std::nan("");
  broken.runs[1].mean_fraction.fill(std::nan(""));
  broken.runs[2].series.clear();
  broken.runs[2].trace = nullptr;
  write(folder, "broken", broken);

  ReportInput crowd = page("A thousand runs", {three[1]}, 60, 8);
  crowd.runs.assign(1000, crowd.runs[0]);
  for (std::size_t i = 0; i < crowd.runs.size(); ++i) crowd.runs[i].name += " #" + std::to_string(i);
  write(folder, "crowd", crowd);

  ReportInput nothing = page("Nothing fits", three, 300, 8, std::int64_t{2} << 30);
  for (RunResult& run : nothing.runs) {
    RunResult empty;
    empty.name = run.name;
    empty.manager = run.manager;
    empty.submitted = empty.rejected = run.submitted;
    run = std::move(empty);
    run.first_rejected = {{0, 9000, 10, "longer than max_model_len"}};
    run.mean_fraction[static_cast<std::size_t>(Part::free)] = 1;
  }
  write(folder, "nothing", nothing);

  const std::string evil =
      "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">";
  ReportInput hostile =
      page(evil, {manager("paged", {}, evil), manager("vattention", {}, "a\"b'c&d <!-- \xff")}, 300, 8);
  hostile.notes = {evil};
  hostile.command = hostile.resolved_yaml = hostile.workload_name = hostile.ledger = evil;
  hostile.scenario["name"] = evil;
  hostile.cards[0] = {evil, {{evil, evil}}};
  write(folder, "hostile", hostile);

  // Far more replicas than a scenario may have: the page names those to look at.
  ReportInput replicas = page("Twenty thousand replicas", {three[1]}, 300, 8);
  for (std::size_t i = 0; i < 20'000; ++i) {
    ReplicaSummary r;
    r.group = "h100";
    r.submitted = r.completed = i % 7;
    r.prompt_tokens = 500 * (i % 7);
    r.busy_ns = static_cast<std::int64_t>(i % 101) * replicas.runs[0].makespan_ns / 100;
    r.batch_mean = i % 13 == 0 ? std::nan("") : 2.5;
    r.ttft_ns = {i % 7, 1e8, 1e8, 1e8, 1e8, 1e6 * static_cast<double>(i), 1e8};
    replicas.runs[0].replicas.push_back(std::move(r));
  }
  write(folder, "replicas", replicas);

  std::vector<ManagerSpec> many;
  for (const std::int64_t block : {1, 2, 4, 8, 16, 32, 64, 128, 256}) {
    many.push_back(manager("paged", {{"block_size", block}}));
  }
  for (const std::int64_t kib : {64, 128, 256, 512, 1024}) {
    many.push_back(manager("vattention", {{"page", kib << 10}}));
  }
  write(folder, "many", page("Block sizes and page sizes", many, 1000, 12));
}
}  // namespace
}  // namespace stowage

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_pages FOLDER\n";
    return 2;
  }
  std::filesystem::create_directories(argv[1]);
  stowage::make(argv[1]);
}
