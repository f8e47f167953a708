// What open_trace does with good rows: ledger, order, limit, rate, repeats, streams.
#include <thread>

#include "helpers.hpp"

namespace stowage::test {
namespace {
std::string canonical(std::string_view rows) { return std::string(canonical_header) + "\n" + std::string(rows); }

TEST(Ledger, CountsWhatIsDropped) {
  const auto got = open_text(canonical("10,5,1\n20,0,3\n30,4,0\n40,0,0\n50,6,2\n60,7,0\n"));
  EXPECT_EQ(listed(got.requests), "0/5/1 40/6/2 ");
  EXPECT_EQ(got.ledger.rows, 6U);
  EXPECT_EQ(got.ledger.kept, 2U);
  EXPECT_EQ(got.ledger.dropped, (std::map<std::string, std::uint64_t>{{"zero input", 2}, {"zero output", 2}}));
  EXPECT_EQ(got.ledger.first_ns, 10);
  EXPECT_EQ(got.ledger.last_ns, 50);
  TraceLedger ledger = got.ledger;
  ledger.file = "a.csv";
  EXPECT_EQ(ledger.line(), "a.csv (canonical): 6 rows = 2 kept + 2 zero input + 2 zero output");
  ledger = {"a.csv", "azure", 1'234'567, 1'234'467, {{"zero input", 100}}, 1'000, 0, 0, 0, 0, 0, 0, true};
  EXPECT_EQ(ledger.line(),
            "a.csv (azure): 1,234,567 rows = 1,234,467 kept + 100 zero input, stopped at the limit; "
            "out of order: 1,000, sorted");
}

TEST(Ledger, NothingLeftIsAnError) {
  EXPECT_EQ(error_of(canonical("10,0,1\n")),
            "F: error: no row of the trace can be used: F (canonical): 1 rows = 0 kept + 1 zero input");
}

// S1.22
TEST(Order, RowsAreSortedStably) {
  const auto got = open_text(canonical("30,1,1\n10,2,1\n30,3,1\n20,4,1\n10,5,1\n40,6,1\n"));
  EXPECT_EQ(listed(got.requests), "0/2/1 0/5/1 10/4/1 20/1/1 20/3/1 30/6/1 ");
  EXPECT_EQ(got.ledger.out_of_order, 3U);  // 10, 20 and 10 come after a 30
  EXPECT_EQ(got.ledger.first_ns, 10);
}

TEST(Limit, KeepsTheFirstRowsOfTheFile) {
  const std::string text = canonical("30,1,1\n0,0,9\n10,2,1\n20,3,1\nnot a row\n");
  const auto got = open_text(text, {.path = {}, .limit = 2});
  EXPECT_EQ(listed(got.requests), "0/2/1 20/1/1 ");
  EXPECT_EQ(got.ledger.rows, 3U);
  EXPECT_TRUE(got.ledger.stopped_at_limit);
  const auto all = open_text(canonical("1,1,1\n2,1,1\n"), {.path = {}, .limit = 5});
  EXPECT_EQ(all.requests.size(), 2U);
  EXPECT_FALSE(all.ledger.stopped_at_limit);
}

TEST(Repeat, ShiftsBySpanPlusMeanGap) {
  // Span 100 over 4 rows: mean gap 100 / 3, so copy k begins at k x 133 (133.33 rounded).
  const auto got = open_text(canonical("1000,1,1\n1010,2,1\n1050,3,1\n1100,4,1\n"), {.path = {}, .repeat = 3});
  EXPECT_EQ(listed(got.requests),
            "0/1/1 10/2/1 50/3/1 100/4/1 133/1/1 143/2/1 183/3/1 233/4/1 266/1/1 276/2/1 316/3/1 366/4/1 ");
}

TEST(Repeat, OfOneRow) {
  EXPECT_EQ(listed(open_text(canonical("7,1,2\n"), {.path = {}, .repeat = 3}).requests), "0/1/2 0/1/2 0/1/2 ");
}

TEST(RateScale, DividesOffsetsAndRounds) {
  const std::string text = canonical("100,1,1\n101,1,1\n103,1,1\n110,1,1\n");
  EXPECT_EQ(listed(open_text(text, {.path = {}, .rate_scale = 2}).requests),
            "0/1/1 1/1/1 2/1/1 5/1/1 ");  // 0.5 and 1.5 go up
  EXPECT_EQ(listed(open_text(text, {.path = {}, .rate_scale = 0.25}).requests), "0/1/1 4/1/1 12/1/1 40/1/1 ");
  // Span 10, mean gap 10/3: copies 13 apart before scaling.
  EXPECT_EQ(listed(open_text(text, {.path = {}, .rate_scale = 0.5, .limit = 0, .repeat = 2}).requests),
            "0/1/1 2/1/1 6/1/1 20/1/1 26/1/1 28/1/1 32/1/1 46/1/1 ");
}

/// More rows than are held decoded (1 Mi), so that streams parse the file as they go.
std::string long_file(bool sorted) {
  std::string text(canonical_header);
  text += '\n';
  for (int i = 0; i < 1'100'000; ++i) {
    text += std::to_string(1000 + 3 * i) + "," + std::to_string(i % 4000) + "," + std::to_string(1 + i % 77) + "\r\n";
  }
  if (!sorted) text += "999,5,6\n";
  return text;
}

TEST(LongFile, StreamsAndRepeats) {
  const auto got = open_text(long_file(true), {.path = {}, .rate_scale = 0.5, .limit = 0, .repeat = 2});
  // i % 4000 == 0 is dropped: 275 of 1,100,000 rows. Span: from i = 1 to i = 1,099,999, 3 x 1,099,998 ns.
  const std::uint64_t kept = 1'100'000 - 275;
  EXPECT_EQ(got.ledger.kept, kept);
  EXPECT_EQ(got.ledger.dropped.at("zero input"), 275U);
  ASSERT_EQ(got.requests.size(), 2 * kept);
  const double span = 3.0 * 1'099'998;
  const std::int64_t period = std::llround(span + span / static_cast<double>(kept - 1));
  std::size_t at = 0;
  for (int copy = 0; copy < 2; ++copy) {
    for (int i = 0; i < 1'100'000; ++i) {
      if (i % 4000 == 0) continue;
      const Request& r = got.requests[at];
      if (r.arrival_ns != 2 * (3 * (i - 1) + copy * period) || r.prompt_tokens != i % 4000 ||
          r.output_tokens != 1 + i % 77 || r.id != at) {
        FAIL() << "copy " << copy << " row " << i << ": " << listed({r});
      }
      ++at;
    }
  }
}

TEST(LongFile, OutOfOrderIsSorted) {
  const auto got = open_text(long_file(false), {.path = {}, .limit = 0});
  EXPECT_EQ(got.ledger.out_of_order, 1U);
  ASSERT_EQ(got.requests.size(), 1'100'001U - 275);
  EXPECT_EQ(listed({got.requests.front()}), "0/5/6 ");
  EXPECT_EQ(got.requests[1].arrival_ns, 4);  // row 1 at 1,003, the first at 999
}

TEST(LongFile, ChangedUnderTheReaderIsAnError) {
  std::string text = long_file(true);
  const TempFile file(text);
  TraceLedger ledger;
  const auto workload = open_trace({.path = file.path()}, ledger);
  // The same length, so that the mapping stays whole: the last row goes back from 3,300,997 to 1,300,997.
  text[text.rfind('\n', text.size() - 2) + 1] = '1';
  std::fstream out(file.path(), std::ios::binary | std::ios::in | std::ios::out);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  EXPECT_THROW(read_all(*workload), InputError);
}

TEST(Streams, AnyChunkGivesTheSame) {
  const TempFile file(long_file(true));
  for (const std::uint64_t limit : {2'500ULL, 1'060'000ULL}) {  // held and streamed
    TraceLedger ledger;
    const auto workload = open_trace({.path = file.path(), .limit = limit, .repeat = 2}, ledger);
    const auto whole = read_all(*workload);
    ASSERT_EQ(whole.size(), 2 * limit);
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{1023}, std::size_t{5'000'000}}) {
      const auto parts = read_all(*workload, chunk);
      ASSERT_EQ(parts.size(), whole.size());
      EXPECT_EQ(std::memcmp(parts.data(), whole.data(), whole.size() * sizeof(Request)), 0) << chunk;
    }
  }
}

TEST(Streams, ThreadsReadAlike) {
  const TempFile file(long_file(true));
  TraceLedger ledger;
  auto workload = open_trace({.path = file.path()}, ledger);
  std::vector<std::vector<Request>> got(3);
  std::vector<std::thread> threads;
  for (auto& mine : got) threads.emplace_back([&mine, &workload] { mine = read_all(*workload, 1000); });
  for (auto& thread : threads) thread.join();
  for (const auto& mine : got) {
    ASSERT_EQ(mine.size(), ledger.kept);
    EXPECT_EQ(std::memcmp(mine.data(), got[0].data(), mine.size() * sizeof(Request)), 0);
  }
  // A stream outlives the workload it came from.
  const auto stream = workload->open();
  workload.reset();
  Request first;
  EXPECT_EQ(stream->read({&first, 1}), 1U);
  EXPECT_EQ(first.prompt_tokens, 1);
}

// S1.22, S2.1
TEST(Inline, SortsStablyAndNumbers) {
  const auto workload = inline_workload({{50, 1, 1, 9}, {20, 2, 1, 9}, {50, 3, 1, 9}, {20, 4, 1, 9}});
  EXPECT_EQ(listed(read_all(*workload)), "20/2/1 20/4/1 50/1/1 50/3/1 ");  // arrivals stay as they are
  EXPECT_EQ(listed(read_all(*workload, 3)), "20/2/1 20/4/1 50/1/1 50/3/1 ");
  EXPECT_EQ(listed(read_all(*inline_workload({}))), "");
}
/// A trace at hand gives at every rate what opening it anew gives, rows in order or not, once or more often.
TEST(AtRate, IsWhatOpeningAgainWouldGive) {
  for (const char* rows : {"0,1,2\n1000000007,3,4\n2000000001,5,6\n", "2000000001,5,6\n0,1,2\n1000000007,3,4\n"}) {
    const TempFile file(std::string(canonical_header) + "\n" + rows);
    for (const std::uint64_t repeat : {1U, 3U}) {
      TraceLedger ledger;
      const auto once = open_trace({.path = file.path(), .repeat = repeat}, ledger);
      for (const double rate : {0.3, 1.0, 1.7, 1e6}) {
        const auto again = open_trace({.path = file.path(), .rate_scale = rate, .repeat = repeat}, ledger);
        EXPECT_EQ(listed(read_all(*at_rate(*once, rate))), listed(read_all(*again))) << rate;
      }
    }
  }
}
TEST(AtRate, TooSlowIsRefusedAsWhenItIsOpened) {
  // 10^18 ns at a millionth of the rate: 10^24 ns, beyond 2^62.
  const std::string text = std::string(canonical_header) + "\n0,1,2\n1000000000000000000,3,4\n";
  const TempFile file(text);
  TraceLedger ledger;
  const auto once = open_trace({.path = file.path()}, ledger);
  EXPECT_THROW((void)at_rate(*once, 1e-6), InputError);
  EXPECT_NE(error_of(text, {.rate_scale = 1e-6}), "");
}
}  // namespace
}  // namespace stowage::test
