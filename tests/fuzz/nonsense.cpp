#include "tests/fuzz/nonsense.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace stowage::fuzz {
namespace {
// One a line would be no better to read.
// clang-format off
constexpr std::string_view texts[] = {
    // YAML's own
    "", "~", "null", "Null", "NULL", "-", "--", "---", "...", ".", "#", "#5", "5 #", "5 # five", "%", "%5", "!",
    "! 5", "!!int 5", "!!str 5", "!x 5", "&a", "&a 5", "*a", "*", "**", "|", ">", "|\n    5", ">-\n    5", "@5",
    "`5`", "?", "? 5", ": 5", "- 5", "[", "]", "{", "}", "[]", "{}", "[1]", "[1, 2]", "[[1]]", "{a: 1}", "{5}",
    "\"", "'", "\"\"", "''", "\"5\"", "'5'", "\"5", "'it''s'", "\"\\x41\"", "\"\\u0000\"", "\"\\n\"", "\\", "\\n",
    "<<", "<<: x", "a: b", "a: 1\nb: 2", "5\n", "5\n6", "5\n---\n6", "5,6", "a;b", ",", ":", "=5", "=", "<5", ">5",
    "5-8", "--- 5", "5 ...",
    // words
    "yes", "no", "on", "off", "y", "n", "true", "false", "True", "TRUE", "nan", "NaN", ".nan", ".NaN", "-nan",
    "inf", "-inf", "+inf", ".inf", "-.inf", "Infinity", "abc", "none", "None", "default", "auto", "max", "any",
    "unlimited",
    // numbers
    "-0", "-0.0", "0", "0.0", "00", "007", "010", "0o10", "0x10", "0b11", "1_000", "1,000", "1 000", "1.", "1.5",
    ".5", "-1", "+1", "--1", "1e3", "1E3", "1e", "e5", "1e+3", "1e-3", "1e309", "-1e309", "1e308", "1e-400",
    "1e-320", "5e-324", "2147483647", "2147483648", "4294967296", "4294967297", "9007199254740993",
    "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
    "99999999999999999999", "-9223372036854775808", "1e18", "1e19", "1k", "1K", "1Ki", "1ki", "1M", "1.5k", "1k5",
    "1 k", "9223372036854775k", "5%", "5 %", "150%", "-5%", "0.3", "3.0", "16.0", "1/2", "1/0", "5..6", "1..4",
    "32..512:x2", "..5", "5..",
    // dates and times
    "2026-12-01", "2026-12-01T12:00:00Z", "12:30", "12:30:45", "1:30",
    // units, right somewhere
    "5/s", "5/sec", "5 /s", "/s", "0/s", "-5/s", "5/min", "5/m", "nan/s", "inf/s", "1e308/s", "5/d", "5s", "5 s",
    "5  s", "5S", "5sec", "5ms", "5Ms", "5MS", "5us", "5\xc2\xb5s", "5\xce\xbcs", "5ns", "5min", "5m", "5h", "5d",
    "0s", "0ns", "-5s", "0.1ns", "1e-300s", "1e300s", "5GiB", "5 GiB", "5gib", "5GB", "5Gb", "5G", "5g", "5GiBs",
    "0B", "0GiB", "-5GiB", "1B", "0.3B", "0.6B", "1.5B", "1.00000001B", "1e300GiB", "5KiB", "5kib", "9PiB",
    "9000PiB", "8191.9999PiB", "5TB/s", "5GB/s", "5Gb/s", "5GB/sec", "0GB/s", "1e308TB/s", "5TFLOP/s", "5TFLOPS",
    "5FLOP", "0TFLOP/s", "5W", "5USD",
    // letters and bytes
    "\xf0\x9d\x9f\x9d", "\xef\xbc\x95", "5\xc2\xa0GiB", "5\xe2\x80\x8b", "\xef\xbb\xbf" "5", "5\t", "\t5", "5\r",
    "5\x01", "\x7f", "\x1b[31m5", "\xc3\xa9", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x92\xa5", "\xc3\x28", "\xff",
    "\xe2\x80\xae" "5", "\xd0\xb0" "bc",
    // places
    "../x", "../x.yaml", "/dev/null", "/", "./", ".", "..", "~root", "$HOME", "${X}", "$(id)", "a/b.yaml",
    "x.json",
    // words of other keys
    "paged", "reserve", "vllm", "llama-3-8b", "h100-sxm-80gb", "round-robin", "roofline", "profile", "poisson",
    "burst", "bfloat16", "fp8", "pow2", "buddy", "eager", "background", "cost", "N+1", "N", "N-1",
};
// clang-format on

constexpr std::array<std::string_view, 24> endings = {"",     "B",    "GiB",  "GB",   "gb", "KiB",  "s", "ms",
                                                      "us",   "/s",   "/min", "%",    "k",  "Ki",   "x", "GB/s",
                                                      "TB/s", "FLOP", "\t",   " # x", "e3", "e400", ".", "..9"};
}  // namespace

std::span<const std::string_view> nonsense() { return texts; }

std::string near_miss(const std::string& value, Rng& rng) {
  std::string out = value;
  const std::size_t at = out.empty() ? 0 : rng.below(out.size());
  const auto digits = static_cast<std::ptrdiff_t>(std::min(out.find_first_not_of("0123456789.-"), out.size()));
  switch (rng.below(14)) {
    case 0:  // another unit, or none
      return out.substr(0, static_cast<std::size_t>(digits)) + std::string(endings[rng.below(endings.size())]);
    case 1:
      return out + std::string(endings[rng.below(endings.size())]);
    case 2:
      return "-" + out;
    case 3:
      return "0" + out;
    case 4:
      return "\"" + out + "\"";
    case 5:
      return out + out;
    case 6:
      return "[" + out + "]";
    case 7:
      return "{" + out + ": 1}";
    case 8:
      for (char& c : out) {
        const auto u = static_cast<unsigned char>(c);
        c = static_cast<char>(std::islower(u) != 0 ? std::toupper(u) : std::tolower(u));
      }
      return out;
    case 9:
      if (!out.empty()) out.erase(at, 1);
      return out;
    case 10:
      out.insert(at, 1, "0123456789.eE-+_ xs"[rng.below(19)]);
      return out;
    case 11:
      if (!out.empty()) out[at] = static_cast<char>(1 + rng.below(255));
      return out;
    case 12:  // another number of the same form
      for (char& c : out)
        if (std::isdigit(static_cast<unsigned char>(c)) != 0) c = static_cast<char>('0' + rng.below(10));
      return out;
    default:
      return out + std::string(1 + rng.below(30), '0');
  }
}

std::string mistyped(const std::string& key, Rng& rng) {
  std::string out = key;
  const std::size_t at = rng.below(out.size());
  switch (rng.below(10)) {
    case 0:
      if (out.size() > 1) out.erase(at, 1);
      break;
    case 1:
      out.insert(at, 1, out[at]);
      break;
    case 2:
      if (at + 1 < out.size()) std::swap(out[at], out[at + 1]);
      break;
    case 3:
      out[at] = static_cast<char>('a' + rng.below(26));
      break;
    case 4:
      std::replace(out.begin(), out.end(), '_', '-');
      break;
    case 5:
      out += std::array{"s", "_", "2", "\xc2\xa0", ".x", "[0]", "-max"}[rng.below(7)];
      break;
    case 6:
      out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
      break;
    case 7:
      std::erase(out, '_');
      break;
    case 8:
      if (const auto a = out.find('a'); a != std::string::npos) out.replace(a, 1, "\xd0\xb0");  // Cyrillic
      break;
    default:
      out = "\"" + out + " \"";
  }
  return out;
}
}  // namespace stowage::fuzz
