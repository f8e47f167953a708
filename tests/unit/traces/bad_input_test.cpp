// Every way a file can be wrong gives one line that says where and how to mend it.
#include "helpers.hpp"

namespace stowage::test {
namespace {
std::string azure_error(const std::string& row) {
  return error_of(std::string(azure_header) + "\n2023-11-16 18:15:46.6805900,374,44\n" + row);
}
std::string canonical_error(const std::string& row) { return error_of(std::string(canonical_header) + "\n" + row); }

TEST(BadFile, MissingEmptyDirectory) {
  TraceLedger ledger;
  try {
    (void)open_trace({.path = "/no/such.csv"}, ledger);
    FAIL();
  } catch (const InputError& e) {
    EXPECT_STREQ(e.what(), "/no/such.csv: error: there is no such trace file; check the path");
  }
  try {
    (void)open_trace({.path = "/"}, ledger);
    FAIL();
  } catch (const InputError& e) { EXPECT_STREQ(e.what(), "/: error: this is a directory; name the trace file in it"); }
  EXPECT_EQ(error_of(""), "F: error: the file is empty; a trace has a header line and a row a request");
  EXPECT_EQ(error_of("\xef\xbb\xbf"), "F: error: the file is empty; a trace has a header line and a row a request");
  for (const char* text : {"arrival_ns,prompt_tokens,output_tokens", "arrival_ns,prompt_tokens,output_tokens\n\n"}) {
    EXPECT_EQ(error_of(text), "F: error: the trace has a header but no rows");
  }
  EXPECT_EQ(error_of(std::string("\xff\xfe") + "T"),
            "F:1:1: error: this is UTF-16 text; convert it: `iconv -f UTF-16 -t UTF-8`");
}

TEST(BadFile, WhatHasNoEnd) {
  TraceLedger ledger;
  try {
    (void)open_trace({.path = "/dev/zero"}, ledger);
    FAIL();
  } catch (const InputError& e) {
    EXPECT_STREQ(e.what(), "/dev/zero: error: this is a device, which may have no end; name a file");
  }
  EXPECT_EQ(error_of(std::string(70'000, 'a') + "\n1,2,3\n"),
            "F:1:1: error: the first line has more than 64 KiB; a trace begins with a header line");
  EXPECT_EQ(error_of(std::string(2'000'000, ',') + "\n"),
            "F:1:1: error: the first line has more than 64 KiB; a trace begins with a header line");
  EXPECT_EQ(canonical_error("1,2,3\n" + std::string(2'000'000, ',') + "\n"),
            "F:3:1: error: a row of more than 1 MiB; is this the right file?");
}

TEST(BadFile, Header) {
  const std::string known =
      "known: azure (TIMESTAMP,ContextTokens,GeneratedTokens), canonical (arrival_ns,prompt_tokens,output_tokens), "
      "mooncake ({\"timestamp\": ms, \"input_length\": n, \"output_length\": n, \"hash_ids\": [...]})";
  EXPECT_EQ(error_of("when,who\n1,2\n"), "F:1:1: error: 'when,who' is no known trace header; " + known);
  EXPECT_EQ(error_of("TIMESTAMP,ContextTokens,GeneratedToken\n"),
            "F:1:1: error: 'TIMESTAMP,ContextTokens,GeneratedToken' is no known trace header; for azure the column "
            "'GeneratedTokens' is missing; did you mean 'GeneratedToken'?; " +
                known);
  EXPECT_EQ(
      error_of("arrival_n,prompt_token,output_token\n"),
      "F:1:1: error: 'arrival_n,prompt_token,output_token' is no known trace header; for 'arrival_n' did you mean "
      "'arrival_ns'?; " +
          known);
  EXPECT_EQ(error_of("arrival_ns,prompt_tokens,output_tokens,arrival_ns\n1,2,3,4\n"),
            "F:1:1: error: 'arrival_ns,prompt_tokens,output_tokens,a...' is no known trace header; for canonical a "
            "column is named twice; " +
                known);
  EXPECT_EQ(error_of("0,10,20\n1,10,20\n"),
            "F:1:1: error: the first line '0,10,20' is data, not a header; add one of: " + known.substr(7));
  EXPECT_NE(error_of("\n0,10,20\n"), "");
}

TEST(BadRow, Torn) {
  EXPECT_EQ(azure_error("2023-11-16 18:15:50.9951690,396\r\n2023-11-16 18:15:51,1,1\n"),
            "F:3:32: error: this row has 2 of 3 fields ('2023-11-16 18:15:50.9951690,396'); mend or delete the row");
  EXPECT_EQ(azure_error("2023-11-16 18:1"),
            "F:3:16: error: this row has 1 of 3 fields ('2023-11-16 18:1'); the file is cut short: fetch it again, or "
            "delete its last line");
  EXPECT_EQ(canonical_error("1,2,3,4\n0,1,1\n"),
            "F:2:8: error: this row has 4 of 3 fields ('1,2,3,4'); mend or delete the row");
  EXPECT_EQ(canonical_error("1,2,\n0,1,1\n"), "F:2:5: error: output_tokens '' is empty; write the number of tokens");
}

TEST(BadRow, Lengths) {
  EXPECT_EQ(canonical_error("0,1,1\n1,-5,3\n"),
            "F:3:3: error: prompt_tokens '-5' is negative; a length is 0 or more tokens");
  EXPECT_EQ(canonical_error("0,1,1\n1,5,-\n"),
            "F:3:5: error: output_tokens '-' is not a whole number of tokens; write digits only");
  EXPECT_EQ(canonical_error("0,1,1\n1,12x,3\n"),
            "F:3:3: error: prompt_tokens '12x' is not a whole number of tokens; write digits only");
  EXPECT_EQ(canonical_error("0,1,1\n1,12.0,3\n"),
            "F:3:3: error: prompt_tokens '12.0' is not a whole number of tokens; write digits only");
  for (const std::string absurd : {"10000001", "100000000", "99999999999999999999999999999"}) {
    EXPECT_EQ(canonical_error("0,1,1\n1,7," + absurd + "\n"),
              "F:3:5: error: output_tokens '" + absurd + "' is more than 10,000,000 tokens; mend or delete the row");
  }
  EXPECT_EQ(canonical_error("0,10000000,10000000\n"), "");
}

/// Rows in the plain form with enough behind them are read by another path than the last ones of a file.
TEST(BadRow, IsToldTheSameWayInTheMiddleAsAtTheEnd) {
  for (const std::string row : {"31,7,10000001", "31,10000001,7", "31,7,99999999", "31,12345678,7", "31,-5,3", "31,5,-",
                                "31,12x,3", "-1,1,1", "99999999999999999999,1,1", "x,1,1", "31,,1"}) {
    std::string before, behind;
    for (int i = 0; i < 30; ++i) {
      before += std::to_string(i) + ",10,5\n";
      behind += std::to_string(40 + i) + ",10,5\n";
    }
    const std::string at_the_end = canonical_error("0,10,5\n" + row + "\n");
    ASSERT_TRUE(at_the_end.starts_with("F:3:")) << row << ": " << at_the_end;
    EXPECT_EQ(canonical_error(before + row + "\n" + behind), "F:32:" + at_the_end.substr(4));
  }
}

TEST(BadRow, Times) {
  const std::string form = "is not a time; write it as 2023-11-16 18:15:46.6805900";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"2023-13-16 18:15:46", "has a month outside 01 ... 12"},
      {"2023-00-16 18:15:46", "has a month outside 01 ... 12"},
      {"2023-02-29 18:15:46", "has a day its month does not have"},
      {"2023-11-00 18:15:46", "has a day its month does not have"},
      {"1969-12-31 18:15:46", "has a year outside 1970 ... 2200"},
      {"2023-11-16 24:00:00", "has an hour outside 00 ... 23"},
      {"2023-11-16 18:60:46", "has a minute outside 00 ... 59"},
      {"2023-11-16 18:15:61", "has a second outside 00 ... 59"},
      {"2023-11-16 18:15:60", "has a second outside 00 ... 59"},
      {"2023-11-16 18:15:46.", form},
      {"2023-11-16 18:15:46.1234567890", "has more than 9 digits of a second"},
      {"2023-11-16 18:15:46.5 UTC", form},
      {"2023-11-16 18:15:46+15:00", "has a zone outside -14:59 ... +14:59"},
      {"2023-11-16_18:15:46", form},
      {"2023-11-1618:15:46", form},
      {"1700158546", form},
      {"", "is empty; write it as 2023-11-16 18:15:46.6805900"},
  };
  for (const auto& [time, why] : cases) {
    const std::string expected = "F:3:1: error: TIMESTAMP '" + time + "' " + why;
    EXPECT_EQ(azure_error(time + ",1,1"), expected);
    // Enough behind it that the quick path is tried first.
    EXPECT_EQ(azure_error(time + ",1,1\n" + std::string(100, '\n')), expected);
  }
  EXPECT_EQ(canonical_error("-1,1,1\n"),
            "F:2:1: error: arrival_ns '-1' is negative; write whole nanoseconds from the first arrival");
  EXPECT_EQ(canonical_error("0.5,1,1\n"),
            "F:2:1: error: arrival_ns '0.5' is not a whole number of nanoseconds; write digits only");
  for (const std::string late : {"4611686018427387905", "99999999999999999999"}) {
    EXPECT_EQ(canonical_error(late + ",1,1\n" + std::string(100, '\n')),
              "F:2:1: error: arrival_ns '" + late + "' is more than 146 years of nanoseconds");
  }
}

TEST(BadRow, BytesAndQuotes) {
  EXPECT_EQ(canonical_error(std::string("0,1,1\n0,1") + '\0' + ",1\n"),
            "F:3:4: error: there is a NUL byte here; the file is damaged or is not plain text");
  EXPECT_EQ(canonical_error("0,\"1,1\n"), "F:2:3: error: the quote opened here is not closed on this line; close it");
  EXPECT_EQ(canonical_error("0,\"1\"2,1\n"), "F:2:6: error: after a closing quote there must be a comma");
  EXPECT_EQ(canonical_error("0,\x01\x7f,1\n"),
            "F:2:3: error: prompt_tokens '\?\?' is not a whole number of tokens; write digits only");
}

TEST(BadRow, LineNumbersCountBothPathsAndBlankLines) {
  std::string rows;
  for (int i = 0; i < 1000; ++i) rows += i % 3 == 0 ? "5,\"6\",7\r\n" : i % 3 == 1 ? "5,6,7\n" : "\n";
  EXPECT_EQ(canonical_error(rows + "5,6\n"),  // header + 1,000 lines above
            "F:1002:4: error: this row has 2 of 3 fields ('5,6'); the file is cut short: fetch it again, or delete its "
            "last line");
}

TEST(BadOptions, AreRefused) {
  const std::string text = std::string(canonical_header) + "\n0,1,1\n1000000000,1,1\n";
  for (const double scale : {0.0, -1.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    EXPECT_EQ(error_of(text, {.path = {}, .rate_scale = scale}),
              "error: rate_scale must be a number above 0; 2 doubles the load");
  }
  EXPECT_EQ(error_of(text, {.path = {}, .repeat = 0}), "error: repeat must be at least 1; 1 plays the trace once");
  // 2 s a copy: 2^62 ns = 4.6e9 s pass after 2.3e9 copies.
  EXPECT_EQ(error_of(text, {.path = {}, .repeat = 2'000'000'000}), "");
  EXPECT_NE(error_of(text, {.path = {}, .repeat = 3'000'000'000}).find("146 years"), std::string::npos);
  EXPECT_NE(error_of(text, {.path = {}, .rate_scale = 1e-10}).find("146 years"), std::string::npos);
}
}  // namespace
}  // namespace stowage::test
