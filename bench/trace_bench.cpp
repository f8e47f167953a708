// What a request costs before the simulator sees it: CPU nanoseconds a row to open a trace (every row checked), a
// request to stream it again, and a request to draw a synthetic one. Files are written to the temporary folder.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/rng.hpp"
#include "traces/workload.hpp"

namespace {
using namespace stowage;

enum Form { azure, azure_2024, canonical, quoted };

/// One row a gap of 0.1 s on average, from 2023-11-01; lengths as in conversations.
std::string row_of(Form form, std::int64_t ns, std::int32_t prompt, std::int32_t output) {
  const std::int64_t s = ns / 1'000'000'000;
  const std::int64_t fraction = ns % 1'000'000'000;
  const std::string second = fmt::format("2023-{:02}-{:02} {:02}:{:02}:{:02}", 11 + s / 86'400 / 28,
                                         1 + s / 86'400 % 28, s / 3600 % 24, s / 60 % 60, s % 60);
  switch (form) {
    case azure:
      return fmt::format("{}.{:07},{},{}\r\n", second, fraction / 100, prompt, output);
    case azure_2024:
      return fmt::format("{}.{:06}+00:00,{},{}\n", second, fraction / 1000, prompt, output);
    case quoted:
      return fmt::format("\"{}.{:07}\",{},{}\n", second, fraction / 100, prompt, output);
    case canonical:
      break;
  }
  return fmt::format("{},{},{}\n", ns, prompt, output);
}

/// A file of `rows` rows that goes away with the program.
class TraceFile {
 public:
  TraceFile(Form form, std::int64_t rows)
      : path_(std::filesystem::temp_directory_path() / fmt::format("stowage-bench-{}.csv", ::getpid())) {
    std::ofstream out(path_, std::ios::binary);
    out << (form == canonical ? "arrival_ns,prompt_tokens,output_tokens" : "TIMESTAMP,ContextTokens,GeneratedTokens")
        << "\n";
    Rng rng(1, "bench");
    std::int64_t ns = 0;
    for (std::int64_t i = 0; i < rows; ++i) {
      out << row_of(form, ns, 1 + static_cast<std::int32_t>(rng.below(4000)),
                    1 + static_cast<std::int32_t>(rng.below(500)));
      ns += static_cast<std::int64_t>(rng.below(200'000'000));
    }
  }
  ~TraceFile() { std::filesystem::remove(path_); }
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

std::int64_t drain(const Workload& workload) {
  static std::vector<Request> batch(4096);
  const auto stream = workload.open();
  std::int64_t requests = 0;
  while (const std::size_t n = stream->read(batch)) {
    benchmark::DoNotOptimize(batch.data());
    requests += static_cast<std::int64_t>(n);
  }
  return requests;
}

void report(benchmark::State& state, std::int64_t items) {
  state.counters["per_row"] =
      benchmark::Counter(static_cast<double>(items), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void open_file(benchmark::State& state) {
  const TraceFile file(static_cast<Form>(state.range(0)), state.range(1));
  std::int64_t rows = 0;
  for (auto _ : state) {
    TraceLedger ledger;
    benchmark::DoNotOptimize(open_trace({.path = file.path()}, ledger));
    rows += static_cast<std::int64_t>(ledger.rows);
  }
  report(state, rows);
}
BENCHMARK(open_file)
    ->ArgNames({"form", "rows"})
    ->Args({azure, 19'366})
    ->Args({azure, 3'000'000})
    ->Args({azure_2024, 3'000'000})
    ->Args({canonical, 3'000'000})
    ->Args({quoted, 1'000'000})
    ->Unit(benchmark::kMillisecond);

/// Held decoded up to 1 Mi rows, parsed again above.
void stream_file(benchmark::State& state) {
  const TraceFile file(azure, state.range(0));
  TraceLedger ledger;
  TraceOptions options;
  options.path = file.path();
  options.rate_scale = static_cast<double>(state.range(2));
  options.repeat = static_cast<std::uint64_t>(state.range(1));
  const auto workload = open_trace(options, ledger);
  std::int64_t requests = 0;
  for (auto _ : state) requests += drain(*workload);
  report(state, requests);
}
BENCHMARK(stream_file)
    ->ArgNames({"rows", "repeat", "rate_scale"})
    ->Args({19'366, 50, 1})
    ->Args({19'366, 50, 4})
    ->Args({3'000'000, 1, 1})
    ->Unit(benchmark::kMillisecond);

void synthetic(benchmark::State& state) {
  SyntheticSpec spec = find_synthetic_preset("azure-conv-2023")->make();
  spec.count = 1'000'000;
  spec.arrivals = static_cast<ArrivalKind>(state.range(0));
  const auto workload = synthetic_workload(spec, 1);
  std::int64_t requests = 0;
  for (auto _ : state) requests += drain(*workload);
  state.SetLabel(std::string(arrival_kind_names.at(static_cast<std::size_t>(state.range(0)))));
  report(state, requests);
}
BENCHMARK(synthetic)->DenseRange(0, 3)->Unit(benchmark::kMillisecond);
}  // namespace
