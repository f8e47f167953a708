// Damaged files: random mutations of a good file either open with exactly the rows that a plain parser, written
// apart with regular expressions, finds, or are refused with a place when that parser refuses them.
#include <algorithm>
#include <optional>
#include <regex>

#include "base/rng.hpp"
#include "helpers.hpp"

namespace stowage::test {
namespace {
struct PlainRow {
  std::int64_t time_ns, prompt, output;
};

std::int64_t days_from_epoch(int year, int month, int day) {
  static constexpr int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const auto leap = [](int y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; };
  if (year < 1970 || year > 2200 || month < 1 || month > 12) return -1;
  if (day < 1 || day > lengths[month - 1] + (month == 2 && leap(year) ? 1 : 0)) return -1;
  std::int64_t days = day - 1;
  for (int y = 1970; y < year; ++y) days += leap(y) ? 366 : 365;
  for (int m = 1; m < month; ++m) days += lengths[m - 1] + (m == 2 && leap(year) ? 1 : 0);
  return days;
}

std::optional<std::int64_t> plain_time(const std::string& text, bool azure) {
  if (!azure) {
    static const std::regex digits("0*[0-9]{1,19}");
    if (!std::regex_match(text, digits) || std::stoull(text) > (1ULL << 62)) return std::nullopt;
    return std::stoll(text);
  }
  static const std::regex form(
      R"((\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|([+-])(\d\d):?(\d\d))?)");
  std::smatch m;
  if (!std::regex_match(text, m, form)) return std::nullopt;
  const auto part = [&m](int i) { return std::stoi(m[i]); };
  const std::int64_t days = days_from_epoch(part(1), part(2), part(3));
  if (days < 0 || part(4) > 23 || part(5) > 59 || part(6) > 59) return std::nullopt;
  std::int64_t seconds = days * 86'400 + part(4) * 3600 + part(5) * 60 + part(6);
  if (m[9].matched) {
    if (part(10) > 14 || part(11) > 59) return std::nullopt;
    seconds -= (part(10) * 3600 + part(11) * 60) * (m[9] == "-" ? -1 : 1);
  }
  return seconds * 1'000'000'000 + std::stoll((m[7].str() + "000000000").substr(0, 9));
}

/// nullopt = refused.
std::optional<std::vector<PlainRow>> plain_parse(const std::string& bytes) {
  std::vector<std::string> lines;
  std::istringstream in(bytes);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  if (lines.empty()) return std::nullopt;
  static const std::regex outer_blanks("^[ \t]+|[ \t]+$");
  const auto trim = [](const std::string& s) { return std::regex_replace(s, outer_blanks, ""); };
  std::vector<std::string> names;
  std::istringstream header(lines[0] + ",");
  for (std::string name; std::getline(header, name, ',');) {
    name = trim(name);
    if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
    names.push_back(name);
  }
  for (const bool azure : {true, false}) {
    std::vector<std::size_t> at;
    for (const std::string& name : azure ? std::vector<std::string>{"TIMESTAMP", "ContextTokens", "GeneratedTokens"}
                                         : std::vector<std::string>{"arrival_ns", "prompt_tokens", "output_tokens"}) {
      if (std::count(names.begin(), names.end(), name) != 1) break;
      at.push_back(static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin()));
    }
    if (at.size() < 3) continue;
    std::vector<PlainRow> rows;
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const std::string& line = lines[i];
      if (line.empty()) continue;
      if (line.find('\0') != std::string::npos) return std::nullopt;
      static const std::regex field(R"rx(("(?:[^"]|"")*"|[^",][^,]*|)(,|$))rx");
      std::vector<std::string> fields;
      auto from = line.cbegin();
      for (std::smatch m; std::regex_search(from, line.cend(), m, field, std::regex_constants::match_continuous);) {
        std::string text = m[1];
        if (text.size() >= 2 && text.front() == '"') text = text.substr(1, text.size() - 2);
        fields.push_back(trim(text));
        from = m[0].second;
        if (m[2].length() == 0) break;
      }
      if (from != line.cend() || fields.size() != names.size()) return std::nullopt;
      const auto time = plain_time(fields[at[0]], azure);
      static const std::regex digits("0*[0-9]{1,8}");
      if (!time || !std::regex_match(fields[at[1]], digits) || !std::regex_match(fields[at[2]], digits))
        return std::nullopt;
      const PlainRow row{*time, std::stoll(fields[at[1]]), std::stoll(fields[at[2]])};
      if (row.prompt > 10'000'000 || row.output > 10'000'000) return std::nullopt;
      rows.push_back(row);
    }
    return rows;
  }
  return std::nullopt;
}

std::string mutated(std::string bytes, Rng& rng) {
  static constexpr std::string_view bytes_of_interest("\0\n\r,\"-+.:TZ 0123456789\xff\t", 24);
  for (std::uint64_t changes = 1 + rng.below(2); changes > 0 && !bytes.empty(); --changes) {
    const auto at = static_cast<std::size_t>(rng.below(bytes.size()));
    const char byte = rng.below(4) == 0 ? static_cast<char>(rng.below(256))
                                        : bytes_of_interest[static_cast<std::size_t>(rng.below(24))];
    switch (rng.below(6)) {
      case 0:
        bytes[at] = byte;
        break;
      case 1:
        bytes.insert(at, 1, byte);
        break;
      case 2:
        bytes.erase(at, 1);
        break;
      case 3:
        bytes.erase(at, static_cast<std::size_t>(rng.below(40)));
        break;
      case 4:
        bytes.insert(at, bytes.substr(static_cast<std::size_t>(rng.below(bytes.size())), 20));
        break;
      default:
        bytes.resize(at);
        break;
    }
  }
  return bytes;
}

/// Opens `bytes` and compares with the plain parser; true when both accept.
bool agree(const TempFile& file, const std::string& bytes) {
  file.write(bytes);
  TraceLedger ledger;
  std::vector<Request> requests;
  std::string error;
  try {
    requests = read_all(*open_trace({.path = file.path()}, ledger));
  } catch (const InputError& e) {
    error = e.what();
    EXPECT_EQ(error.rfind(file.path(), 0), 0U) << error;
  }
  auto rows = plain_parse(bytes);
  if (rows) {
    const std::size_t all = rows->size();
    std::erase_if(*rows, [](const PlainRow& r) { return r.prompt == 0 || r.output == 0; });
    std::stable_sort(rows->begin(), rows->end(),
                     [](const PlainRow& a, const PlainRow& b) { return a.time_ns < b.time_ns; });
    if (!rows->empty()) {
      EXPECT_EQ(ledger.rows, all);
      EXPECT_EQ(error, "");
      std::string expected;
      for (const PlainRow& r : *rows) {
        expected += std::to_string(r.time_ns - rows->front().time_ns) + "/" + std::to_string(r.prompt) + "/" +
                    std::to_string(r.output) + " ";
      }
      EXPECT_EQ(listed(requests), expected);
      return true;
    }
  }
  EXPECT_NE(error, "");
  return false;
}

TEST(Mutations, GiveTheRightRowsOrAnError) {
  const std::vector<std::string> good = {
      std::string(azure_header) +
          "\r\n2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109\r\n"
          "2024-05-10 00:00:00.009930+00:00,879,55\r\n2024-02-29 00:00:00,\"91\",0\r\n2023-12-01T00:00:00Z,7,1000000",
      "GeneratedTokens,Model,TIMESTAMP,ContextTokens\n7,\"a,b\",2023-11-16 18:15:46.68,1\n8,,2023-11-16 18:15:46.6,2\n",
      std::string(canonical_header) +
          "\n0,1,1\n1000,20,30\n123456789,4000,500\n4000000000000000000,60000,70000\n"
          "4000000000000000001,1,1\n4000000000000000002,1234567,1\n",
      std::string(canonical_header) + "\n5,10,20\n5,10,20\n50000000000,2,3\n600000000000,4,5\n600000000000,4,5\n"};
  const TempFile file("");
  int accepted = 0;
  constexpr int tries = 3000;
  for (int seed = 0; seed < tries; ++seed) {
    Rng rng(static_cast<std::uint64_t>(seed), "mutations");
    const std::string bytes = mutated(good[static_cast<std::size_t>(seed) % good.size()], rng);
    accepted += agree(file, bytes) ? 1 : 0;
    if (::testing::Test::HasFailure()) FAIL() << "seed " << seed << ":\n" << bytes;
  }
  // Both outcomes must be common, or the test says little.
  EXPECT_GT(accepted, tries / 10);
  EXPECT_LT(accepted, tries * 9 / 10);
}
}  // namespace
}  // namespace stowage::test
