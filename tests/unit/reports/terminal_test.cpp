#include "reports/terminal.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "reports/metrics.hpp"
#include "reports/tables.hpp"
#include "reports/text.hpp"
#include "reports/words.hpp"
#include "sample.hpp"

namespace stowage {
namespace {

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::stringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

void expect_fits(const ReportInput& input) {
  const auto all = lines(to_terminal(input));
  EXPECT_LE(all.size(), 40U);
  for (const std::string& line : all) EXPECT_LE(text::width(line), 100U) << line;
}

TEST(Terminal, Golden) {
  EXPECT_EQ(to_terminal(sample_input()),
            R"(paged-16 meets the SLO, vattention-2MiB does not.
paged-16 serves most: 16 requests/s, 2 times vattention-2MiB (8).
p99 TTFT is lowest under paged-16 (10 ms) and highest under vattention-2MiB (20 ms).

Four requests
cost [linear]: linear, coefficients of the scenario
KV cache 65,536 tokens; maximum concurrency for 8,192 tokens per request: 8.00x

                                        paged-16       vattention-2MiB
SLO                                         PASS                  FAIL
  ttft_p99 <= 15 ms                     10 ms ok            20 ms MISS
  tbt_max <= 10 ms                      10 ms ok            20 ms MISS
requests completed                             4                     4
  rejected / preemptions                   0 / 0                 0 / 0
requests/s                                    16                     8
output tokens/s                              400                   200
makespan                                  250 ms                500 ms
running, mean / max                        4 / 4                 4 / 4
TTFT p50 / p99                     10 ms / 10 ms         20 ms / 20 ms
TBT p50 / p99                      10 ms / 10 ms         20 ms / 20 ms
E2E p50 / p99                    250 ms / 250 ms       500 ms / 500 ms
queueing p50 / p99                     0 s / 0 s             0 s / 0 s
KV memory, mean: live                     6.25 %                6.25 %
  lost: reserved                             0 %                   0 %
  lost: internal                          0.78 %                0.78 %
  lost: external                             0 %                   0 %
  cached                                     0 %                   0 %
  free                                    93.0 %                93.0 %
peak held by requests                    512 MiB               512 MiB
held over time                      ▁▁▁▁▁▁▁▁▁▁▁▁          ▁▁▁▁▁▁▁▁▁▁▁▁
note: Step costs are the user's own.
)");
}

TEST(Terminal, FitsWhateverTheInput) {
  ReportInput input = sample_input();
  input.title = std::string(500, 'x') + "\x1b[2J\n";
  input.ledger = input.cost_source = input.kv_line = input.title;
  input.notes.assign(30, "A note that goes on and on, " + std::string(200, 'y') + " and then some more words to wrap.");
  for (int i = 0; i < 8; ++i) input.slo.push_back({"e2e_p99", 1e9});
  expect_fits(input);
  EXPECT_EQ(to_terminal(input).find('\x1b'), std::string::npos) << "no colour asked for, none from a name";
  for (const std::size_t n : {0U, 1U, 4U, 5U, 60U}) {
    input.runs.assign(n, sample_run("a manager with a name as long as anyone would write it, and longer"));
    expect_fits(input);
  }
  EXPECT_NE(to_terminal(input).find("more in summary.json"), std::string::npos);
}

TEST(Terminal, NamesALongPathByItsFile) {
  ReportInput input = sample_input();
  input.ledger = "/a/very/long/way/down/to/where/the/traces/are/kept/conv.csv (azure): 4 rows = 4 kept";
  EXPECT_NE(to_terminal(input).find("written in the scenario: …/conv.csv (azure): 4 rows = 4 kept\n"),
            std::string::npos);
}

TEST(Terminal, ColourOnlyWhenAsked) {
  EXPECT_EQ(to_terminal(sample_input()).find('\x1b'), std::string::npos);
  EXPECT_NE(to_terminal(sample_input(), {.colour = true}).find("\x1b[31m"), std::string::npos);
}

TEST(Words, AlikeMeansWithinOnePercent) {
  ReportInput input = sample_input();
  input.slo.clear();
  input.runs = {sample_run("a", 10'000'000), sample_run("b", 10'050'000)};  // 0.5 % apart
  const auto alike = words::headline(input);
  EXPECT_EQ(alike.verdict, words::Verdict::none);
  EXPECT_EQ(alike.sentence.find("Both managers serve this traffic alike: 16"), 0U) << alike.sentence;

  // The same throughput, yet one answers later.
  input.runs[1] = sample_run("b", 10'000'000);
  input.runs[1].ttft_ns.add(90'000'000, 4);
  EXPECT_EQ(words::headline(input).sentence,
            "Both managers serve 16 requests/s; a answers first: p99 TTFT 10 ms against 90 ms under b.");

  input.runs[1] = sample_run("b", 5'000'000);
  EXPECT_EQ(words::headline(input).sentence, "b serves most: 32 requests/s, 2 times a (16).");
}

/// The SLO's p99 is of all requests, the table's of those that were served: two figures, and a line that says why.
TEST(Words, TwoPercentilesAreExplainedWhereTheyMayDiffer) {
  constexpr std::string_view why = "The SLO counts requests that are not served as missed; all other latencies are of";
  ReportInput input = sample_input();
  EXPECT_EQ(words::two_percentiles(input), "");  // all served
  input.runs[1].submitted = 5, input.runs[1].rejected = 1;
  EXPECT_TRUE(words::two_percentiles(input).starts_with(why));
  for (const std::string& text : {to_terminal(input, {}), to_markdown(input)})
    EXPECT_NE(text.find(why), std::string::npos) << text;
  input.runs.resize(1);
  EXPECT_EQ(words::two_percentiles(input), "");
  input.runs[0].submitted = 5, input.runs[0].unfinished = 1;
  EXPECT_NE(words::two_percentiles(input), "");
  input.slo.clear();
  EXPECT_EQ(words::two_percentiles(input), "");
}

TEST(Words, NothingRanNothingCompleted) {
  ReportInput input = sample_input();
  input.runs = {RunResult{}};
  input.runs[0].submitted = input.runs[0].rejected = 3;
  EXPECT_EQ(words::headline(input).sentence, "No request is served: 3 submitted, 3 rejected, 0 unfinished.");
  EXPECT_EQ(words::headline(input).verdict, words::Verdict::fail);
  input.runs.clear();
  EXPECT_EQ(words::headline(input).sentence, "Nothing was run.");
}

TEST(Metrics, RankingComparesWithTheBestNotWithTheWorst) {
  const std::vector<double> p50 = {24.5, 0.0716, 0.091};  // 0.0716 and 0.091 are far apart, seen from 24.5 they are not
  const Ranking r = rank(p50, Better::lower);
  EXPECT_FALSE(r.alike);
  EXPECT_EQ(r.best_runs, (std::vector<std::size_t>{1}));
  EXPECT_EQ(r.worst_runs, (std::vector<std::size_t>{0}));
  EXPECT_TRUE(rank(std::vector<double>{100, 99.5}, Better::higher).alike);
  EXPECT_TRUE(rank(std::vector<double>{0, 0}, Better::lower).alike);
}
}  // namespace
}  // namespace stowage
