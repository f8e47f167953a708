// Azure LLM inference traces (github.com/Azure/AzurePublicDataset): TIMESTAMP,ContextTokens,GeneratedTokens, in 2025
// with NumImages too. 2023 writes "2023-11-16 18:15:46.6805900" (100 ns ticks, no zone, CRLF, no newline at the end),
// 2024 "2024-05-10 00:00:00.009930+00:00" and, on whole seconds, no fraction. A time without a zone is taken as UTC.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "traces/csv.hpp"

namespace stowage {
namespace {
constexpr std::array<std::string_view, 3> column_names = {"TIMESTAMP", "ContextTokens", "GeneratedTokens"};
constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::array<std::int64_t, 10> fraction_ns = {second_ns, 100'000'000, 10'000'000, 1'000'000, 100'000,
                                                      10'000,    1'000,       100,        10,        1};

/// Two digits at `p`, or a number above 99.
unsigned two_digits(const char* p) {
  const auto tens = static_cast<unsigned>(p[0] - '0');
  const auto ones = static_cast<unsigned>(p[1] - '0');
  return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}

constexpr std::string_view form = "is not a time; write it as 2023-11-16 18:15:46.6805900";

/// "2023-11-16", 10 characters.
std::string parse_date(const char* p, std::int64_t& ns) {
  const unsigned year = two_digits(p) * 100 + two_digits(p + 2);
  const unsigned month = two_digits(p + 5);
  const unsigned day = two_digits(p + 8);
  if (two_digits(p) > 99 || two_digits(p + 2) > 99 || p[4] != '-' || month > 99 || p[7] != '-' || day > 99) {
    return std::string(form);
  }
  if (year < 1970 || year > 2200) return "has a year outside 1970 ... 2200";
  if (month < 1 || month > 12) return "has a month outside 01 ... 12";
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok()) return "has a day its month does not have";
  ns = std::int64_t{std::chrono::sys_days(date).time_since_epoch().count()} * 86'400 * second_ns;
  return {};
}

/// "18:15:46", 8 characters.
std::string parse_clock(const char* p, std::int64_t& ns) {
  const unsigned hour = two_digits(p);
  const unsigned minute = two_digits(p + 3);
  const unsigned second = two_digits(p + 6);
  if (p[2] != ':' || p[5] != ':' || hour > 99 || minute > 99 || second > 99) return std::string(form);
  if (hour > 23) return "has an hour outside 00 ... 23";
  if (minute > 59) return "has a minute outside 00 ... 59";
  if (second > 59) return "has a second outside 00 ... 59";
  ns = std::int64_t{hour * 3600 + minute * 60 + second} * second_ns;
  return {};
}

/// "", "Z", "+00:00", "-0530": nanoseconds to take away to reach UTC.
std::string parse_zone(std::string_view text, std::int64_t& ns) {
  ns = 0;
  if (text.empty() || text == "Z") return {};
  const bool colon = text.size() == 6 && text[3] == ':';
  if ((text.front() != '+' && text.front() != '-') || (!colon && text.size() != 5)) return std::string(form);
  const unsigned hours = two_digits(text.data() + 1);
  const unsigned minutes = two_digits(text.data() + (colon ? 4 : 3));
  if (hours > 14 || minutes > 59) return "has a zone outside -14:59 ... +14:59";
  ns = std::int64_t{hours * 3600 + minutes * 60} * second_ns * (text.front() == '-' ? -1 : 1);
  return {};
}

class AzureTime {
 public:
  /// Up to 8 digits of fraction, no zone or +00:00, and a date seen before (the last one is remembered).
  const char* plain(const char* p, std::int64_t& ns) {
    if (std::memcmp(p, date_.data(), date_.size()) != 0) {
      if (!parse_date(p, date_ns_).empty()) return nullptr;
      std::memcpy(date_.data(), p, date_.size());
    }
    const unsigned hour = two_digits(p + 11);
    const unsigned minute = two_digits(p + 14);
    const unsigned second = two_digits(p + 17);
    if (p[10] != ' ' || p[13] != ':' || p[16] != ':' || hour > 23 || minute > 59 || second > 59) return nullptr;
    ns = date_ns_ + std::int64_t{hour * 3600 + minute * 60 + second} * second_ns;
    p += 19;
    if (*p == '.') {
      const csv::Digits fraction = csv::digits8(++p);
      if (fraction.count == 0) return nullptr;
      ns += static_cast<std::int64_t>(fraction.value) * fraction_ns[fraction.count];
      p += fraction.count;
    }
    return *p == '+' && std::memcmp(p, "+00:00", 6) == 0 ? p + 6 : p;
  }

  static std::string parse(std::string_view text, std::int64_t& ns) {
    if (text.empty()) return "is empty; write it as 2023-11-16 18:15:46.6805900";
    if (text.size() < 19 || (text[10] != ' ' && text[10] != 'T')) return std::string(form);
    std::int64_t date = 0;
    std::int64_t clock = 0;
    if (std::string why = parse_date(text.data(), date); !why.empty()) return why;
    if (std::string why = parse_clock(text.data() + 11, clock); !why.empty()) return why;
    text.remove_prefix(19);
    std::int64_t fraction = 0;
    if (text.starts_with('.')) {
      const std::size_t stop = std::min(text.find_first_not_of("0123456789", 1), text.size());
      const std::string_view digits = text.substr(1, stop - 1);
      if (digits.empty()) return std::string(form);
      if (digits.size() > 9) return "has more than 9 digits of a second";
      for (const char c : digits) fraction = fraction * 10 + (c - '0');
      fraction *= fraction_ns[digits.size()];
      text.remove_prefix(stop);
    }
    std::int64_t zone = 0;
    if (std::string why = parse_zone(text, zone); !why.empty()) return why;
    ns = date + clock + fraction - zone;
    return {};
  }

 private:
  std::array<char, 10> date_{};
  std::int64_t date_ns_ = 0;
};

bool matches(std::string_view first_line) { return csv::find_columns(first_line, column_names).has_value(); }
std::unique_ptr<RowReader> open(std::string_view text, const std::string& file, std::int64_t) {
  return std::make_unique<csv::Reader<AzureTime>>(text, file, column_names);
}
}  // namespace

constinit const TraceFormat azure_format = {"azure", "Azure LLM inference traces of 2023, 2024 and 2025",
                                            "TIMESTAMP,ContextTokens,GeneratedTokens", matches, open};
}  // namespace stowage
