// Writes the report pages the browser looks at: make_pages FOLDER. Real runs of the simulator under real managers, so
// that the curves look as they will; and the pages that go wrong first: one manager, nothing served, hostile names,
// more managers than colours.
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "base/rng.hpp"
#include "reports/html.hpp"
#include "reports/json.hpp"
#include "reports/terminal.hpp"
#include "sim/run_config.hpp"

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
  ManagerSpec spec{.kind = std::move(kind), .name = "", .params = {}};
  for (const ParamSpec& p : row.params) {
    const std::string text(p.fallback);
    if (text.empty()) continue;
    if (p.type == ParamType::choice)
      spec.params.emplace(p.name, text);
    else if (p.type == ParamType::fraction)
      spec.params.emplace(p.name, std::stod(text));
    else if (p.type == ParamType::bytes)
      spec.params.emplace(p.name, std::int64_t{2} << 20);
    else
      spec.params.emplace(p.name, std::int64_t{std::stoll(text)});
  }
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
    input.runs.push_back(find_manager(spec.kind)->run(config, traced));
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
  std::ofstream(folder / (name + ".json")) << to_json_text(input);
  std::ofstream(folder / (name + ".txt")) << to_terminal(input);
}

void make(const std::filesystem::path& folder) {
  const std::vector<ManagerSpec> three = {manager("reserve", {}), manager("paged", {}), manager("vattention", {})};
  write(folder, "busy", page("Llama-3-8B on one H100, conversation traffic", three, 4000, 14));
  write(folder, "calm", page("The same at a quarter of the load", three, 1500, 2));
  write(folder, "single", page("One manager", {three[1]}, 300, 8));

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
