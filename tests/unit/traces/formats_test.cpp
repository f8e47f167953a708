// What the formats accept, and the exact requests that come out.
#include <array>

#include "helpers.hpp"
#include "traces/format.hpp"

namespace stowage::test {
namespace {
std::string azure(std::string_view rows) { return std::string(azure_header) + "\r\n" + std::string(rows); }

TEST(Azure, ReadsRowsAsPublished) {
  // CRLF, 100 ns ticks, no zone, no newline at the end. 50.9951690 - 46.6805900 s = 4.314579 s.
  const auto got =
      open_text(azure("2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109\r\n"
                      "2023-11-16 18:15:51.2224670,879,55"));
  EXPECT_EQ(listed(got.requests), "0/374/44 4314579000/396/109 4541877000/879/55 ");
  EXPECT_EQ(got.ledger.format, "azure");
  EXPECT_EQ(got.ledger.rows, 3U);
  EXPECT_EQ(got.ledger.kept, 3U);
  // `date -u -d '2023-11-16 18:15:46' +%s` = 1700158546
  EXPECT_EQ(got.ledger.first_ns, 1'700'158'546'680'590'000);
  EXPECT_EQ(got.ledger.last_ns, 1'700'158'551'222'467'000);
}

TEST(Azure, ReadsTheOtherYearsForms) {
  // Offsets, a missing fraction, T and Z; all are the same hour in UTC. 01:30+02:00 is 23:30 of the day before.
  const auto got =
      open_text(azure("2024-05-09 23:30:00.009930+00:00,1,2\r\n2024-05-09 23:30:01+00:00,3,4\r\n"
                      "2024-05-10 01:30:02.5+02:00,5,6\r\n2024-05-09T18:00:03Z,7,8\r\n"
                      "2024-05-09 18:00:03.123456789-0530,9,10\r\n"));
  EXPECT_EQ(listed(got.requests),
            // 18:00:03 is 5.5 h = 19,800 s less 3 s before 23:30.
            "0/7/8 19797009930000/1/2 19798000000000/3/4 19799500000000/5/6 19800123456789/9/10 ");
}

TEST(Azure, CrossesMidnightMonthAndLeapDay) {
  const auto got =
      open_text(azure("2024-02-28 23:59:59.9999999,1,1\n2024-02-29 00:00:00,1,1\n"
                      "2024-03-01 00:00:00,1,1\n"));
  EXPECT_EQ(listed(got.requests), "0/1/1 100/1/1 86400000000100/1/1 ");
}

TEST(Azure, FindsColumnsByName) {
  const auto got = open_text(
      "\"GeneratedTokens\", NumImages ,ContextTokens,TIMESTAMP\n44,0,\"374\",2023-11-16 18:15:46.5\n"
      " 45 ,\"a,\"\"b\",\t375,\"2023-11-16 18:15:46.75\"\n");
  EXPECT_EQ(listed(got.requests), "0/374/44 250000000/375/45 ");
}

TEST(Azure, TakesByteOrderMarkAndBlankLines) {
  const auto got =
      open_text("\xef\xbb\xbf" + azure("\r\n2023-11-16 18:15:46,1,2\r\n\r\n2023-11-16 18:15:47,3,4\r\n\r\n"));
  EXPECT_EQ(listed(got.requests), "0/1/2 1000000000/3/4 ");
  EXPECT_EQ(got.ledger.rows, 2U);
}

TEST(Azure, EveryLengthOfDigitsAndFraction) {
  // Long files take the quick path, short ones the careful one: each row is tried in both.
  std::string fraction;
  for (int digits = 1; digits <= 9; ++digits) {
    fraction += static_cast<char>('0' + digits);
    const std::string row = "2023-11-16 18:15:46." + fraction + ",1234567,7654321\n";
    const std::string text = azure("2023-11-16 18:15:46,1,1\n") + row;
    const std::int64_t ns = std::stoll((fraction + "000000000").substr(0, 9));
    for (const auto& requests : {open_text(text).requests, open_text(text + row + row).requests}) {
      EXPECT_EQ(requests.at(1).arrival_ns, ns);
      EXPECT_EQ(requests.at(1).prompt_tokens, 1234567);
      EXPECT_EQ(requests.at(1).output_tokens, 7654321);
    }
  }
}

TEST(Azure, TheRealTrace) {
  TraceOptions options;
  options.path = azure_conv_path();
  if (options.path.empty()) GTEST_SKIP() << "the Azure 2023 conversation trace is not at hand";
  TraceLedger ledger;
  const auto workload = open_trace(options, ledger);
  EXPECT_EQ(ledger.line(), options.path + " (azure): 19,366 rows = 19,366 kept + 0 dropped");
  const auto requests = read_all(*workload);
  ASSERT_EQ(requests.size(), 19'366U);
  EXPECT_EQ(listed({requests.begin(), requests.begin() + 3}), "0/374/44 4314579000/396/109 4541877000/879/55 ");
  // Last row 19:14:08.4025270: 3,501.721937 s after 18:15:46.6805900.
  EXPECT_EQ(requests.back().arrival_ns, 3'501'721'937'000);
  EXPECT_EQ(requests.back().prompt_tokens, 197);
  EXPECT_EQ(requests.back().output_tokens, 183);
}

TEST(Canonical, ReadsWhatItWrites) {
  std::vector<Request> requests = {{0, 1, 1, 0}, {99'999'999, 9'999'999, 10'000'000, 1}};
  for (std::int64_t ns = 1, digits = 1; digits <= 18; ns = ns * 10 + 7, ++digits) {
    requests.push_back({ns, static_cast<std::int32_t>(ns % 9000) + 1, static_cast<std::int32_t>(ns % 70) + 1, 0});
  }
  requests.push_back({std::int64_t{1} << 62, 3, 4, 0});  // 19 digits, the latest
  const auto workload = inline_workload(requests);
  std::ostringstream out;
  write_canonical(*workload, out);
  const auto got = open_text(out.str());
  EXPECT_EQ(got.ledger.format, "canonical");
  EXPECT_EQ(listed(got.requests), listed(read_all(*workload)));
  EXPECT_EQ(out.str().substr(0, 45), std::string(canonical_header) + "\n0,1,1\n");
}

TEST(Canonical, TellsWhenTheOutputFails) {
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  EXPECT_THROW(write_canonical(*inline_workload({{0, 1, 1, 0}}), out), EnvironmentError);
}

TEST(Gzip, IsSeenByItsMagicBytes) {
  // canonical header, "5,10,20", "7,11,21", as gzip -9 packs them
  constexpr auto packed = std::to_array<unsigned char>(
      {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b, 0x2c, 0x2a, 0xca, 0x2c, 0x4b, 0xcc,
       0x89, 0xcf, 0x2b, 0xd6, 0x29, 0x28, 0xca, 0xcf, 0x2d, 0x28, 0x89, 0x2f, 0xc9, 0xcf, 0x4e, 0x05, 0xf2,
       0xf2, 0x4b, 0x4b, 0x0a, 0x4a, 0x61, 0x3c, 0x2e, 0x53, 0x1d, 0x43, 0x03, 0x1d, 0x23, 0x03, 0x2e, 0x73,
       0x1d, 0x43, 0x43, 0x1d, 0x23, 0x43, 0x2e, 0x00, 0x49, 0x32, 0xb2, 0xfc, 0x37, 0x00, 0x00, 0x00});
  const std::string bytes(packed.begin(), packed.end());
  EXPECT_EQ(listed(open_text(bytes).requests), "0/10/20 2/11/21 ");
  EXPECT_EQ(listed(open_text(bytes, {.path = {}, .repeat = 2}).requests), "0/10/20 2/11/21 4/10/20 6/11/21 ");
  EXPECT_EQ(error_of(bytes.substr(0, 40)),
            "F: error: the gzip file is damaged or cut short; check it with `gzip -t` and fetch it again");
  std::string damaged = bytes;
  damaged[30] = static_cast<char>(damaged[30] ^ 0x55);
  EXPECT_NE(error_of(damaged).find("damaged"), std::string::npos);
}

TEST(Formats, EachMatchesItsOwnHeaderOnly) {
  for (const TraceFormat* format : trace_formats()) {
    for (const TraceFormat* other : trace_formats()) {
      EXPECT_EQ(format->matches(other->header), format == other) << format->name << " " << other->header;
    }
  }
}
}  // namespace
}  // namespace stowage::test
