#pragma once
// The page kit: what every report page (run, plan, sweep, compare, calibrate, validate) is made of, as plain data.
// Fill a Page and call to_html: it makes one self-contained file with a strict content security policy, every text
// escaped, and under every figure one sentence above it and its table below. figures.hpp has ready-made figures.
//
//   page::Page p{.kind = "plan report", .title = scenario_name, .version = ..., .summary_json = text};
//   p.verdict = {page::Tone::good, "PASS", "6 GPUs serve 20 requests/s.", {"The next cheaper layout misses
//   ttft_p99."}}; p.series = {{"paged-16"}, {"vattention-2MiB"}}; p.sections.push_back({"pareto", "What it costs",
//   "Each point is ...", {page::pareto(points)}}); std::string html = page::to_html(p);
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace stowage::page {

enum class Tone : std::uint8_t { plain, best, good, mixed, bad };

/// Something with a colour and a shape of its own, the same everywhere on the page: most often a memory manager.
struct Series {
  std::string name = {};
  std::optional<std::size_t> colour = {}, shape = {};  // else its place in Page::series; runs of one manager share one
};

/// A row's or a column's name. `series`: set its sign before it; `badge`: which engines ship it, or "not shipped".
struct Name {
  std::string text = {};
  std::string series = {};
  std::string badge = {};
  Name(std::string t = {}, std::string s = {}, std::string b = {})  // a text is a name
      : text(std::move(t)), series(std::move(s)), badge(std::move(b)) {}
  Name(const char* t) : text(t) {}
};

/// "199 ms", a coloured word after it ("met"), a small line below ("80 % to spare").
struct Cell {
  std::string text = {};
  Tone tone = Tone::plain;
  std::string word = {}, small = {};
};
struct Row {
  Name name = {};
  std::vector<Cell> cells = {};
};
struct RowGroup {
  std::string title = {};  // may be empty
  std::vector<Row> rows = {};
};
struct Table {
  std::string label = {};          // what it is, for screen readers
  std::vector<Name> columns = {};  // the first stands over the row names
  std::vector<RowGroup> groups = {};
  std::string remark = {};  // over the table, beside the badge of evidence
};

/// Shares of one whole, one bar a row; colours are those of the style sheet ("live", "reserved", "b0" ... "b4").
struct Share {
  std::string label = {}, colour = {};
  double value = 0;
  std::string shown = {};  // "12.3 GiB"
};
struct Bars {
  struct Bar {
    Name name = {};
    std::vector<Share> shares = {};
    std::string sum = {};  // at its end
  };
  std::vector<Bar> bars = {};
  std::vector<Share> legend = {};  // label and `shown`
  Table table = {};
  std::string words = {};  // a line in type, below
};

enum class Unit : std::uint8_t { number, seconds, bytes, share };
struct Axis {
  std::string name = {};
  Unit unit = Unit::number;
  bool log = false;
  std::optional<double> min = {}, max = {};
};

/// Curves, point clouds, distribution functions, histograms. What is not finite is a gap.
struct Line {
  std::string series = {};
  std::vector<double> x = {}, y = {};
  std::vector<double> low = {}, high = {};            // error bars, as long as x or empty
  std::vector<std::string> tips = {};                 // of each point, or empty
  std::vector<std::pair<double, double>> ticks = {};  // signs on the curve: p50, p95, p99
  bool line = true, points = false, step = false, area = false, dashed = false;
  bool faded = false;  // points that matter less than others of their series
};
struct Limit {
  double at = 0;
  std::string text = {};
  bool on_x = false;        // else a line across, at y = at
  bool bad_beyond = false;  // what lies above it is shaded
};
struct Point {
  double x = 0, y = 0;
  std::string text = {};  // "knee", "chosen"
};
struct Plot {
  Axis x = {}, y = {};
  std::vector<Line> lines = {};
  std::vector<Limit> limits = {};
  std::vector<Point> points = {};
};

/// Bands that sum to `whole` over time, and two curves below on the same clock. One set of x for all of them.
struct Stack {
  struct Band {
    std::string name = {}, colour = {};
    std::vector<double> values = {};
  };
  std::string series = {};            // colours the first curve below
  std::vector<double> starts_s = {};  // values hold from here to the next
  double end_s = 0, whole = 0;        // of this run
  std::vector<Band> bands = {};       // bytes, bottom to top
  std::vector<Band> below = {};       // at most two: "running" left, "waiting" right
  double axis_end_s = 0;              // shared by the figures of a section
  std::vector<double> below_max = {};
};

/// The pool, cut into `rows` equal pieces, at each sampled instant: which share of a piece is what.
struct Occupancy {
  std::vector<double> at_s = {};
  double end_s = 0;
  std::size_t rows = 0;
  std::vector<std::array<std::uint8_t, 3>> cells =
      {};                          // column by column, bottom up: live, empty, cached in fifteenths
  std::vector<bool> refused = {};  // per column: what is free was refused to the head of the queue
  std::int64_t pool_bytes = 0;
};

/// Numbers by two categories ("page size" x "rate"), as shades; NaN = nothing there.
struct HeatMap {
  std::string x_name = {}, y_name = {}, value_name = {};
  std::vector<std::string> columns = {}, rows = {};  // at most 64 each are drawn
  std::vector<double> values = {};                   // row by row
};

/// What one number becomes when one thing changes.
struct Tornado {
  struct Change {
    std::string what = {};                      // "arrival rate"
    std::string low_text = {}, high_text = {};  // "-20 %", "+20 %"
    std::optional<double> low = {}, high = {};  // nullopt = not possible
    std::string note = {};                      // "not modelled": stands instead of bars
  };
  Axis axis = {};
  double base = 0;
  std::vector<Change> changes = {};  // in the order drawn; figures.hpp sorts
};

/// Where time went: one bar a row, phase after phase.
struct Timeline {
  struct Span {
    std::string phase = {};  // "queue" "prefill" "decode" "preempted" "recompute"
    double from_s = 0, to_s = 0, stalled_s = 0;
  };
  struct Lane {
    Name name = {};
    std::vector<Span> spans = {};
  };
  std::vector<Lane> lanes = {};
};

using Chart = std::variant<Plot, Stack, Occupancy, HeatMap, Tornado, Timeline>;
/// One sentence, the chart, its table. A figure whose data is empty or not finite draws nothing and keeps the rest.
struct Figure {
  Name title = {};
  std::string sentence = {};
  Chart chart = {};
  Table table = {};
  std::string note = {};  // small, below the chart: "min/max decimated, 512 of 1,024 bins"
};

struct Fact {
  std::string label = {}, value = {};
};
struct Card {
  std::string title = {};
  std::vector<Fact> facts = {};
};
struct Cards {
  std::vector<Card> cards = {};
};
struct Notes {
  std::vector<std::string> lines = {};
};
/// Something to copy: a command, a YAML file (`folded` under `title`).
struct Code {
  std::string title = {}, text = {};
  bool folded = false;
};
/// Which colour is what, for figures that share it.
struct Legend {
  std::vector<Share> entries = {};  // label, colour, shown = what it means
  bool all_series = false;          // instead: the page's series
};
struct Figures {
  std::vector<Figure> figures = {};  // beside each other where there is room
};
using Block = std::variant<Table, Bars, Figure, Figures, Cards, Notes, Code, Legend>;

struct Section {
  std::string id = {}, title = {}, sentence = {};
  std::vector<Block> blocks = {};
};

struct Verdict {
  Tone tone = Tone::plain;
  std::string word = {};      // "PASS"; empty = none
  std::string sentence = {};  // the first thing anyone reads
  std::vector<std::string> reasons = {};
};

struct Page {
  std::string kind = {};  // "run report"
  std::string title = {};
  std::string version = {};
  std::vector<std::string> badges = {};
  std::string evidence = {};        // "measured", "scaled", "roofline", "linear": a badge over every table
  std::string evidence_words = {};  // its meaning, on hover
  bool evidence_measured = false;   // else the badge warns
  Verdict verdict = {};
  std::vector<Series> series = {};
  std::vector<Section> sections = {};  // those without blocks are left out
  std::string summary_json = {};       // carried whole in the page
};

[[nodiscard]] std::string to_html(const Page& page);
}  // namespace stowage::page
