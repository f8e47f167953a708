#include "reports/terminal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "reports/fleet.hpp"
#include "sim/latency.hpp"
#include "reports/metrics.hpp"
#include "reports/text.hpp"
#include "reports/words.hpp"

namespace stowage {
namespace {
constexpr std::size_t max_lines = 40, max_columns = 100;

enum class Paint : std::uint8_t { plain, bold, dim, good, bad };

std::string paint(const std::string& s, Paint how, bool colour) {
  static constexpr std::array<std::string_view, 5> codes = {"", "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m"};
  if (!colour || how == Paint::plain) return s;
  return std::string(codes[static_cast<std::size_t>(how)]) + s + "\x1b[0m";
}

struct Cell {
  std::string text;
  Paint paint = Paint::plain;
};
struct Line {
  std::string label;
  std::vector<Cell> cells;
};

class Page {
 public:
  explicit Page(bool colour) : colour_(colour) {}

  void blank() { lines_.emplace_back(); }
  void line(const std::string& text, Paint how = Paint::plain) {
    lines_.push_back(paint(text::fit(text, max_columns), how, colour_));
  }
  void wrapped(const std::string& user_text, std::size_t at_most, Paint how = Paint::plain) {
    std::vector<std::string> lines = text::wrap(text::printable(user_text), max_columns);
    if (lines.size() > at_most) {
      lines.resize(at_most);
      lines.back() = text::fit(lines.back() + " …", max_columns);
    }
    for (const std::string& l : lines) line(l, how);
  }
  /// Label at the left, cells flush right in columns of one width.
  void row(const Line& row, std::size_t label_columns, std::size_t cell_columns) {
    std::string out = pad(text::fit(row.label, label_columns), label_columns);
    for (const Cell& cell : row.cells) {
      const std::string shown = text::fit(text::printable(cell.text), cell_columns - 2);
      out += std::string(cell_columns - text::width(shown), ' ') + paint(shown, cell.paint, colour_);
    }
    lines_.push_back(std::move(out));
  }
  [[nodiscard]] std::size_t left() const { return max_lines - std::min(max_lines, lines_.size()); }
  [[nodiscard]] std::string str() const {
    std::string out;
    for (const std::string& l : lines_) out += l.substr(0, l.find_last_not_of(' ') + 1) + "\n";
    return out;
  }
  static std::string pad(std::string s, std::size_t columns) {
    s.append(columns - std::min(columns, text::width(s)), ' ');
    return s;
  }

 private:
  bool colour_;
  std::vector<std::string> lines_;
};

/// A long path is named by its file: "…/conv.csv".
std::string short_paths(std::string_view s) {
  constexpr std::size_t long_word = 40;
  std::string out;
  while (!s.empty()) {
    const std::size_t end = std::min(s.find(' '), s.size());
    const std::string_view word = s.substr(0, end);
    const std::size_t slash = word.rfind('/');
    if (word.size() > long_word && slash != std::string_view::npos)
      out += "…" + std::string(word.substr(slash));
    else
      out += word;
    if (end < s.size()) out += ' ';
    s.remove_prefix(std::min(end + 1, s.size()));
  }
  return out;
}

using Show = std::string (*)(const RunResult&);

std::string rate(const RunResult& run, double per_s) {
  const double r = rate_or_nothing(run, per_s);
  return text::number(r);
}

std::string p50_p99(const Latency& l, const RunResult& r) {
  if (l.of(r).count() == 0) return "–";
  return text::duration(l.quantile_ns(r, 0.5)) + " / " + text::duration(l.quantile_ns(r, 0.99));
}
std::string part(const RunResult& r, Part p) { return text::percent(r.mean_fraction[static_cast<std::size_t>(p)]); }

/// Memory held by requests over the run, in eight steps of height, as a share of the pool.
std::string sparkline(const RunResult& run) {
  static constexpr std::array<std::string_view, 8> bars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr std::size_t columns = 12;
  if (run.series.empty() || run.pool_bytes <= 0) return "–";
  std::string out;
  for (std::size_t i = 0; i < std::min(columns, run.series.size()); ++i) {
    const std::size_t n = std::min(columns, run.series.size());
    double most = 0;
    for (std::size_t k = run.series.size() * i / n; k < run.series.size() * (i + 1) / n; ++k) {
      const auto& b = run.series[k].bytes;
      most = std::max(most, b[0] + b[1] + b[2]);
    }
    const double share = std::clamp(most / static_cast<double>(run.pool_bytes), 0.0, 1.0);
    out += bars[static_cast<std::size_t>(std::min(7.0, std::floor(share * 8)))];
  }
  return out;
}

constexpr std::string_view client_row = "client TTFT p50 / p99";
struct TableRow {
  std::string_view label;
  Show show;
  double (*value)(const RunResult&);  // what "best" is judged by; nullptr = not judged
  Better better;
};
constexpr std::array table = {
    TableRow{"requests completed", [](const RunResult& r) { return text::count(r.completed); }, nullptr, {}},
    TableRow{"  rejected / preemptions",
             [](const RunResult& r) { return text::count(r.rejected) + " / " + text::count(r.preemptions); },
             nullptr,
             {}},
    TableRow{"requests/s", [](const RunResult& r) { return rate(r, r.requests_per_s()); },
             [](const RunResult& r) { return rate_or_nothing(r, r.requests_per_s()); }, Better::higher},
    TableRow{"output tokens/s", [](const RunResult& r) { return rate(r, r.output_tokens_per_s()); },
             [](const RunResult& r) { return rate_or_nothing(r, r.output_tokens_per_s()); }, Better::higher},
    TableRow{"makespan", [](const RunResult& r) { return text::duration(r.makespan()); },
             [](const RunResult& r) { return r.makespan(); }, Better::lower},
    TableRow{"running, mean / max",
             [](const RunResult& r) { return text::number(r.batch_mean) + " / " + text::number(double(r.batch_max)); },
             nullptr,
             {}},
    TableRow{"TTFT p50 / p99", [](const RunResult& r) { return p50_p99(ttft, r); },
             [](const RunResult& r) { return ttft.quantile_ns(r, 0.99); }, Better::lower},
    TableRow{client_row, [](const RunResult& r) { return p50_p99(client_ttft, r); },
             [](const RunResult& r) { return client_ttft.quantile_ns(r, 0.99); }, Better::lower},
    TableRow{"TBT p50 / p99", [](const RunResult& r) { return p50_p99(tbt, r); },
             [](const RunResult& r) { return tbt.quantile_ns(r, 0.99); }, Better::lower},
    TableRow{"E2E p50 / p99", [](const RunResult& r) { return p50_p99(e2e, r); },
             [](const RunResult& r) { return e2e.quantile_ns(r, 0.99); }, Better::lower},
    TableRow{"queueing p50 / p99", [](const RunResult& r) { return p50_p99(queueing, r); },
             [](const RunResult& r) { return queueing.quantile_ns(r, 0.99); }, Better::lower},
    TableRow{"KV memory, mean: live", [](const RunResult& r) { return part(r, Part::live); }, nullptr, {}},
    TableRow{"  lost: reserved", [](const RunResult& r) { return part(r, Part::reserved); }, nullptr, {}},
    TableRow{"  lost: internal", [](const RunResult& r) { return part(r, Part::internal); }, nullptr, {}},
    TableRow{"  lost: external", [](const RunResult& r) { return part(r, Part::external); }, nullptr, {}},
    TableRow{"  cached", [](const RunResult& r) { return part(r, Part::cached); }, nullptr, {}},
    TableRow{"  free", [](const RunResult& r) { return part(r, Part::free); }, nullptr, {}},
    TableRow{"peak held by requests",
             [](const RunResult& r) { return text::bytes(double(r.peak_committed_bytes)); },
             nullptr,
             {}},
    TableRow{"held over time", sparkline, nullptr, {}},
};

Line names_line(const ReportInput& input) {
  Line line;
  for (const RunResult& run : input.runs) line.cells.push_back({run.name, Paint::bold});
  return line;
}

/// "SLO" with PASS or FAIL per manager, then one row a target: the number achieved, and whether that is enough.
std::vector<Line> slo_lines(const ReportInput& input, std::size_t at_most) {
  std::vector<Line> lines;
  if (input.slo.empty()) return lines;
  std::vector<std::vector<SloCheck>> checks;
  Line verdict{"SLO", {}};
  for (const RunResult& run : input.runs) {
    const bool met = slo_met(input.slo, run);
    verdict.cells.push_back({met ? "PASS" : "FAIL", met ? Paint::good : Paint::bad});
    checks.push_back(check_slo(input.slo, run));
  }
  lines.push_back(verdict);
  for (std::size_t t = 0; t < std::min(at_most, input.slo.size()); ++t) {
    Line line{fmt::format("  {} <= {}", input.slo[t].key, text::duration(input.slo[t].limit_ns)), {}};
    for (const auto& run_checks : checks) {
      const SloCheck& check = run_checks[t];
      const std::string shown = check.achieved_ns ? text::duration(*check.achieved_ns)
                                : check.unserved  ? "unserved"
                                                  : "nothing";
      line.cells.push_back({shown + (check.met ? " ok" : " MISS"), check.met ? Paint::plain : Paint::bad});
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

void side_by_side(Page& page, const ReportInput& input) {
  constexpr std::size_t label_columns = 26;
  const std::size_t cell_columns = std::min<std::size_t>(22, (max_columns - label_columns) / input.runs.size());
  page.row(names_line(input), label_columns, cell_columns);
  for (const Line& line : slo_lines(input, 4)) page.row(line, label_columns, cell_columns);
  const bool clients = std::ranges::any_of(input.runs, [](const auto& r) { return r.client_ttft_ns.count() > 0; });
  for (const TableRow& row : table) {
    if (row.label == client_row && !clients) continue;
    std::vector<double> values;
    Line line{std::string(row.label), {}};
    for (const RunResult& run : input.runs) {
      line.cells.push_back({row.show(run)});
      if (row.value != nullptr) values.push_back(row.value(run));
    }
    const Ranking ranking = rank(values, row.value != nullptr ? row.better : Better::neither);
    if (!ranking.alike) {
      for (const std::size_t i : ranking.best_runs) line.cells[i].paint = Paint::bold;
    }
    page.row(line, label_columns, cell_columns);
  }
  const bool maps = std::ranges::any_of(input.runs, [](const RunResult& r) { return r.vmm.map_calls > 0; });
  if (!maps) return;
  Line stalls{"mapping stall total / max", {}};
  for (const RunResult& r : input.runs) {
    stalls.cells.push_back(
        {text::duration(double(r.vmm.stall_ns)) + " / " + text::duration(double(r.vmm.stall_max_ns))});
  }
  page.row(stalls, label_columns, cell_columns);
}

/// Too many managers to stand side by side: one a line.
void one_a_line(Page& page, const ReportInput& input) {
  constexpr std::size_t label_columns = 28, cell_columns = 12;
  page.row({"", {{"req/s"}, {"tokens/s"}, {"TTFT p99"}, {"TBT p99"}, {"lost"}, {input.slo.empty() ? "" : "SLO"}}},
           label_columns, cell_columns);
  const std::size_t room = page.left() > 6 ? page.left() - 6 : 1;
  const std::size_t shown = input.runs.size() <= room ? input.runs.size() : room - 1;
  for (std::size_t i = 0; i < shown; ++i) {
    const RunResult& r = input.runs[i];
    const bool met = slo_met(input.slo, r);
    Line line{text::printable(r.name),
              {{rate(r, r.requests_per_s())},
               {rate(r, r.output_tokens_per_s())},
               {text::duration(ttft.quantile_ns(r, 0.99))},
               {text::duration(tbt.quantile_ns(r, 0.99))},
               {text::percent(lost_fraction(r))},
               {input.slo.empty() ? ""
                : met             ? "PASS"
                                  : "FAIL",
                met ? Paint::good : Paint::bad}}};
    page.row(line, label_columns, cell_columns);
  }
  if (shown < input.runs.size()) page.line(fmt::format("… and {} more in summary.json", input.runs.size() - shown));
}
}  // namespace

std::string to_terminal(const ReportInput& input, const TerminalOptions& options) {
  Page page(options.colour);
  const words::Headline headline = words::headline(input);
  page.wrapped(headline.sentence, 2, Paint::bold);
  for (std::size_t i = 0; i < std::min<std::size_t>(2, headline.reasons.size()); ++i) {
    page.wrapped(headline.reasons[i], 2);
  }
  page.blank();
  page.wrapped(input.title, 1);
  if (!input.ledger.empty())
    page.wrapped("workload: " + input.workload_name + ": " + short_paths(input.ledger), 2, Paint::dim);
  page.wrapped("cost [" + std::string(evidence_name(input.evidence)) + "]: " + input.cost_source, 1, Paint::dim);
  if (!input.kv_line.empty()) page.wrapped(input.kv_line, 1, Paint::dim);
  page.blank();
  if (!input.runs.empty()) input.runs.size() <= 4 ? side_by_side(page, input) : one_a_line(page, input);
  const std::string why_two = words::two_percentiles(input);
  if (!why_two.empty() && page.left() > 2) page.line(why_two, Paint::dim);
  for (const RunResult& run : input.runs)
    if (!run.replicas.empty() && page.left() > 2) page.wrapped("fleet: " + run.name + ": " + imbalance_words(run), 1);
  for (std::size_t i = 0; i < input.notes.size(); ++i) {
    const std::size_t lines = text::wrap(text::printable("note: " + input.notes[i]), max_columns).size();
    if (page.left() < lines + (i + 1 < input.notes.size() ? 1 : 0)) {
      const std::string rest = text::plural(input.notes.size() - i, "note");
      if (page.left() > 0) page.line("… and " + rest + " in summary.json");
      break;
    }
    page.wrapped("note: " + input.notes[i], 3);
  }
  return page.str();
}
}  // namespace stowage
