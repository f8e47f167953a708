#include "reports/text.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace stowage::text {
namespace {

TEST(Text, ThreeDigitsWithTheUnitThatFits) {
  EXPECT_EQ(duration(0), "0 s");
  EXPECT_EQ(duration(850), "850 ns");
  EXPECT_EQ(duration(12'345), "12.3 us");
  EXPECT_EQ(duration(310e6), "310 ms");
  EXPECT_EQ(duration(1.2354e9), "1.24 s");
  EXPECT_EQ(duration(33.98e9), "34.0 s");  // digits were cut: the zero says how many are known
  EXPECT_EQ(duration(2e9), "2 s");         // exact
  EXPECT_EQ(duration(999.9e6), "1.00 s");  // never "1000 ms"
  EXPECT_EQ(duration(599.6e9), "600 s");
  EXPECT_EQ(duration(1200e9), "20 min");
  EXPECT_EQ(duration(7200e9), "2 h");
  EXPECT_EQ(bytes(512.0 * 1048576), "512 MiB");
  EXPECT_EQ(bytes(123), "123 B");
  EXPECT_EQ(number(4612.4), "4,612");
  EXPECT_EQ(number(0.05249), "0.0525");
  EXPECT_EQ(number(-1234567), "-1,234,567");
  EXPECT_EQ(number(std::nan("")), "–");
  EXPECT_EQ(count(227840), "227,840");
  EXPECT_EQ(count(999), "999");
  EXPECT_EQ(percent(0.0885), "8.85 %");
  EXPECT_EQ(percent(1), "100 %");
  EXPECT_EQ(percent(0), "0 %");
  EXPECT_EQ(percent(0.00001), "< 0.01 %");
  EXPECT_EQ(percent(0.0043567), "0.44 %");
}

TEST(Text, Lists) {
  EXPECT_EQ(list({}), "");
  EXPECT_EQ(list({"a"}), "a");
  EXPECT_EQ(list({"a", "b"}), "a and b");
  EXPECT_EQ(list({"a", "b", "c"}), "a, b and c");
  EXPECT_EQ(plural(1, "request"), "1 request");
  EXPECT_EQ(plural(19366, "request"), "19,366 requests");
}

TEST(Text, HtmlCannotRun) {
  EXPECT_EQ(html("</script><b a=\"1\" c='2'>&"), "&lt;/script&gt;&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;");
  EXPECT_EQ(html("caf\xC3\xA9 \xFF\x01"), "caf\xC3\xA9 \xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(html_sentence("1.2 s & (3 ms, paged-16 met"), "1.2\xC2\xA0s &amp; (3\xC2\xA0ms, paged-16 met");
}

TEST(Text, TerminalCannotBeSteered) {
  EXPECT_EQ(printable("a\x1b[2Jb\nc\x7f"), "a?[2Jb?c?");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "?31m");  // U+009B, one byte wide CSI
  EXPECT_EQ(printable("\xE2\x80\xA6 \xE2\x80"), "\xE2\x80\xA6 ??");
}

TEST(Text, FitsColumnsNotBytes) {
  EXPECT_EQ(width("caf\xC3\xA9"), 4U);
  EXPECT_EQ(fit("caf\xC3\xA9", 4), "caf\xC3\xA9");
  EXPECT_EQ(fit("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 3), "\xC3\xA9\xC3\xA9…");
  EXPECT_EQ(wrap("aa bb cc", 5), (std::vector<std::string>{"aa bb", "cc"}));
  EXPECT_EQ(wrap("aaaaaaaa b", 4), (std::vector<std::string>{"aaa…", "b"}));
}
}  // namespace
}  // namespace stowage::text
