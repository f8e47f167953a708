#pragma once
// How the page kit turns its data into HTML and chart data (internal to reports/).
#include <string>
#include <string_view>
#include <vector>

#include "reports/page.hpp"

namespace stowage::page {

/// The signs of series, and the charts met while the page is written, which get numbered in that order.
class Writer {
 public:
  explicit Writer(const Page& page);

  [[nodiscard]] std::string section(const Section& section);
  /// An inline sign, "" for no series. A name not in Page::series gets the next place.
  [[nodiscard]] std::string mark(const std::string& series);
  [[nodiscard]] std::size_t series_index(const std::string& series);
  /// {"series": [...], "figures": {...}}, for the script. Call last.
  [[nodiscard]] std::string chart_data() const;
  /// A hidden list of all signs, for the script to copy.
  [[nodiscard]] std::string all_marks();
  [[nodiscard]] std::string evidence_badge(std::string_view element) const;

 private:
  [[nodiscard]] std::string block(const Block& block);
  [[nodiscard]] std::string figure(const Figure& figure);
  [[nodiscard]] std::string table(const Table& table, bool framed);
  [[nodiscard]] std::string bars(const Bars& bars);
  [[nodiscard]] std::string legend(const Legend& legend);
  [[nodiscard]] std::string name(const Name& name);
  [[nodiscard]] std::string folded(const Table& table);
  [[nodiscard]] std::string code(const Code& code);

  const Page& page_;
  std::vector<Series> series_;
  std::vector<std::string> charts_;  // JSON
  std::size_t copies_ = 0;
};

/// The chart as JSON for assets/charts.js; "" when there is nothing to draw.
[[nodiscard]] std::string chart_json(const Chart& chart, Writer& writer);
/// "plot", "stack", ...
[[nodiscard]] std::string_view chart_kind(const Chart& chart);

/// JSON that may stand inside <script>: every '<' as an escape, which JSON allows only where it can occur, in strings.
[[nodiscard]] std::string script_safe(std::string json);
}  // namespace stowage::page
