#include "reports/sweep_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "reports/figures.hpp"
#include "reports/plan_page.hpp"
#include "reports/run_page.hpp"
#include "reports/text.hpp"

namespace stowage {
namespace {
using page::Tone, page::Unit;
using parts::Json, parts::number_at;

struct Measure {
  std::string_view key, label;
  Unit unit;
};
constexpr Measure measures[] = {{"requests_per_s", "requests/s", Unit::number},
                                {"output_tokens_per_s", "output tokens/s", Unit::number},
                                {"ttft_p99_s", "p99 TTFT", Unit::seconds},
                                {"tbt_p99_s", "p99 TBT", Unit::seconds},
                                {"kv_lost", "KV pool held by no token", Unit::share}};
const Measure& measure(const Json& key) {
  const auto at = std::ranges::find(measures, key.get<std::string>(), &Measure::key);
  return at == std::end(measures) ? measures[0] : *at;
}

double real(const Json& j) { return j.is_number() ? j.get<double>() : NAN; }

std::string ships(const Json& sweep, const std::string& manager) {
  const auto at = sweep.at("deployable").find(manager);
  if (at == sweep.at("deployable").end()) return "";
  return *at == "none" ? "ships nowhere" : "ships in " + at->get<std::string>();
}

/// "256MiB" as it was written; the last word of a list of managers is enough.
std::string axis_name(const Json& axis) { return axis.at("path"); }

std::size_t varied(const Json& sweep) {
  return static_cast<std::size_t>(
      std::ranges::count_if(sweep.at("axes"), [](const Json& a) { return a.at("values").size() > 1; }));
}

/// A metric along one axis: curves where the values are numbers, else shades by manager.
page::Figure effect(const Json& sweep, const Json& e) {
  const Json& axis = sweep.at("axes").at(e.at("axis").get<std::size_t>());
  const Measure& m = measure(e.at("metric"));
  const bool exact = varied(sweep) == 1;
  const std::string path = axis_name(axis), title = fmt::format("{} by {}", m.label, path);
  double least = INFINITY, greatest = -INFINITY;
  std::string who_least, who_greatest;
  for (const Json& row : e.at("managers")) {
    for (std::size_t i = 0; i < row.at("median").size(); ++i) {
      const double v = real(row.at("median").at(i));
      const std::string where = row.at("name").get<std::string>() + " at " + axis.at("values").at(i).get<std::string>();
      if (v < least) least = v, who_least = where;
      if (v > greatest) greatest = v, who_greatest = where;
    }
  }
  std::string sentence =
      std::isfinite(least)
          ? fmt::format("{}: from {} ({}) to {} ({}).", exact ? "One run a point" : "The median",
                        page::shown(m.unit, least), who_least, page::shown(m.unit, greatest), who_greatest)
          : "Nothing to show: no run went through.";
  if (!axis.contains("numbers")) {
    page::HeatMap map{path, "manager", std::string(m.label), {}, {}, {}};
    for (const Json& v : axis.at("values")) map.columns.push_back(text::fit(v.get<std::string>(), 18));
    for (const Json& row : e.at("managers")) {
      map.rows.push_back(row.at("name"));
      for (const Json& v : row.at("median")) map.values.push_back(real(v));
    }
    return page::heat_map(title, std::move(sentence), std::move(map));
  }
  const std::string unit = axis.at("unit");
  page::Plot plot{{path + (unit.empty() || unit == "B" ? "" : ", " + unit),
                   unit == "B" ? Unit::bytes : Unit::number,
                   false,
                   {},
                   {}},
                  {std::string(m.label), m.unit, m.unit == Unit::seconds, {}, {}},
                  {},
                  {},
                  {}};
  if (m.unit == Unit::share) plot.y.min = 0, plot.y.max = 1;
  page::Table table{title, {"", path, std::string(m.label), "least to greatest"}, {{"", {}}}, ""};
  for (const Json& row : e.at("managers")) {
    const std::string name = row.at("name");
    page::Line line{.series = name, .points = true};
    // By rising value of the axis, whatever the order in the study.
    std::vector<std::size_t> order(axis.at("numbers").size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return real(axis.at("numbers").at(i)); });
    for (const std::size_t i : order) {
      const double y = real(row.at("median").at(i)), low = real(row.at("least").at(i)),
                   high = real(row.at("greatest").at(i));
      line.x.push_back(real(axis.at("numbers").at(i)));
      line.y.push_back(y);
      if (!exact) line.low.push_back(low), line.high.push_back(high);
      if (table.groups[0].rows.size() < 120)
        table.groups[0].rows.push_back(
            {{name, name, ships(sweep, name)},
             {{axis.at("values").at(i)},
              {page::shown(m.unit, y)},
              {exact ? "–" : page::shown(m.unit, low) + " to " + page::shown(m.unit, high)}}});
    }
    plot.lines.push_back(std::move(line));
  }
  return {title, std::move(sentence), std::move(plot), std::move(table)};
}

page::Section effects(const Json& sweep, std::size_t axis) {
  const std::string path = axis_name(sweep.at("axes").at(axis));
  page::Section out{fmt::format("axis-{}", axis),
                    "Along " + path,
                    varied(sweep) == 1 ? "Each point is one run."
                                       : "Each mark is the median over all other axes, its bar "
                                         "reaches from the least to the greatest.",
                    {}};
  page::Figures figures;
  for (const Json& e : sweep.at("effects"))
    if (e.at("axis") == axis) figures.figures.push_back(effect(sweep, e));
  if (figures.figures.empty()) return out;
  out.blocks.emplace_back(page::Legend{{}, true});
  out.blocks.emplace_back(std::move(figures));
  return out;
}

page::Section maps(const Json& sweep) {
  page::Section out{"maps", "Two axes at once", "", {}};
  page::Figures figures;
  for (const Json& m : sweep.at("maps")) {
    const Json &x = sweep.at("axes").at(m.at("x").get<std::size_t>()),
               &y = sweep.at("axes").at(m.at("y").get<std::size_t>());
    const Measure& what = measure(m.at("metric"));
    const std::string manager = m.at("manager");
    page::HeatMap map{axis_name(x), axis_name(y), std::string(what.label) + (what.unit == Unit::seconds ? ", s" : ""),
                      {},           {},           {}};
    for (const Json& v : x.at("values")) map.columns.push_back(text::fit(v.get<std::string>(), 14));
    for (const Json& v : y.at("values")) map.rows.push_back(text::fit(v.get<std::string>(), 14));
    for (const Json& v : m.at("values")) map.values.push_back(real(v));
    double least = INFINITY, greatest = -INFINITY;
    for (const double v : map.values)
      if (std::isfinite(v)) least = std::min(least, v), greatest = std::max(greatest, v);
    std::string sentence = std::isfinite(least) ? fmt::format("From {} to {}.", page::shown(what.unit, least),
                                                              page::shown(what.unit, greatest))
                                                : "Nothing went through.";
    figures.figures.push_back(
        page::heat_map({fmt::format("{}: {}", manager, what.label), manager, ships(sweep, manager)},
                       std::move(sentence), std::move(map)));
  }
  if (figures.figures.empty()) return out;
  out.sentence =
      varied(sweep) == 2 ? "Each field is one run." : "Each field is the median over the axes that are left.";
  out.blocks.emplace_back(std::move(figures));
  return out;
}

page::Section cloud(const Json& sweep) {
  page::Section out{"pareto", "Throughput against latency", "", {}};
  page::Pareto p;
  p.title = "Requests served against p99 TTFT";
  p.x = {"requests/s", Unit::number, false, {}, {}};
  p.y = {"p99 TTFT", Unit::seconds, true, {}, {}};
  std::size_t on_front = 0;
  for (const Json& c : sweep.at("cloud")) {
    const std::string name = c.at("manager"), set = c.at("set");
    on_front += c.at("front").get<bool>() ? 1 : 0;
    p.candidates.push_back({fmt::format("{} of point {}", name, c.at("point").get<std::uint64_t>()), name,
                            ships(sweep, name), number_at(c, "requests_per_s"), number_at(c, "ttft_p99_s"), true,
                            c.at("front"), set});
  }
  if (p.candidates.size() < 2) return out;
  p.sentence = fmt::format("{} drawn, {} on the front: nobody serves more, sooner.",
                           text::plural(p.candidates.size(), "run"), text::count(on_front));
  out.sentence =
      "To the right is more, below is sooner. Runs at different rates are different questions: read along an "
      "axis first.";
  out.blocks.emplace_back(page::Legend{{}, true});
  out.blocks.emplace_back(page::pareto(p));
  return out;
}

page::Section points(const Json& sweep) {
  const Json& rows = sweep.at("table");
  std::uint64_t all = 0;
  for (const auto& [status, n] : sweep.at("status").items()) all += n.get<std::uint64_t>();
  page::Section out{"points",
                    "The points",
                    rows.size() < all
                        ? fmt::format("The main figures of the first {} of {} rows; sweep.csv beside this page has "
                                      "all, with all digits.",
                                      text::count(rows.size()), text::count(all))
                        : "The main figures of all rows; sweep.csv beside this page has all, with all digits.",
                    {}};
  if (rows.empty()) return out;
  // Managers name the rows: they have signs, and the widest column.
  const auto shown = sweep_rows(sweep);
  const std::size_t manager = 1 + sweep.at("axes").size(), width = shown[0].size();
  page::Table table{"The points", {}, {{"", {}}}, ""};
  table.columns.emplace_back(shown[0][manager]);
  for (std::size_t i = 0; i < width; ++i)
    if (i != manager) table.columns.emplace_back(shown[0][i]);
  for (std::size_t r = 1; r < shown.size(); ++r) {
    const std::string& name = shown[r][manager];
    page::Row row{name.empty() ? page::Name("–") : page::Name(name, name), {}};
    const bool failed = shown[r].size() < width;
    for (std::size_t i = 0; i < width; ++i) {
      if (i == manager) continue;
      if (failed && i == manager + 1)
        row.cells.push_back({"", Tone::bad, shown[r][i]});
      else
        row.cells.push_back({i < shown[r].size() ? shown[r][i] : "–"});
    }
    table.groups[0].rows.push_back(std::move(row));
  }
  out.blocks.emplace_back(std::move(table));
  return out;
}

page::Section notes(const ReportInput& input) {
  page::Notes notes{input.notes};
  for (const Json& f : input.data.at("failures")) {
    notes.lines.push_back(fmt::format(
        "Point {} ({}{}): {}: {}", f.at("point").get<std::uint64_t>(), f.at("set").get<std::string>(),
        f.at("manager") == "" ? "" : ", " + f.at("manager").get<std::string>(), f.at("status").get<std::string>(),
        f.at("note").is_string() ? f.at("note").get<std::string>() : ""));
  }
  page::Section out{"notes", "Notes and failures", "Read these before acting on the numbers.", {}};
  if (!notes.lines.empty()) out.blocks.emplace_back(std::move(notes));
  return out;
}
}  // namespace

std::vector<std::vector<std::string>> sweep_rows(const Json& summary) {
  struct Figure {
    std::string_view column, head;
    std::string (*show)(double);
  };
  static constexpr auto time = [](double s) { return text::duration(s * 1e9); };
  static constexpr auto plain = [](double x) { return text::number(x); };
  static constexpr Figure figures[] = {
      {"requests_per_s", "requests/s", plain}, {"output_tokens_per_s", "output tokens/s", plain},
      {"ttft_p50_s", "TTFT p50", time},        {"ttft_p99_s", "TTFT p99", time},
      {"tbt_p99_s", "TBT p99", time},          {"e2e_p99_s", "E2E p99", time}};
  static constexpr std::array<std::string_view, 3> losses = {"kv_reserved", "kv_internal", "kv_external"};
  const auto names = summary.at("columns").get<std::vector<std::string>>();
  const std::size_t manager = 1 + summary.at("axes").size(), status = manager + 1;
  // Columns of a run come after those of the point: an axis may be called as one of them.
  const auto value = [&](const Json& row, std::string_view column) {
    const auto at =
        std::find(names.begin() + static_cast<std::ptrdiff_t>(std::min(status, names.size())), names.end(), column);
    return at == names.end() ? NAN : real(row.at(static_cast<std::size_t>(at - names.begin())));
  };
  std::vector<std::vector<std::string>> out(1);
  for (std::size_t i = 0; i <= manager; ++i) out[0].push_back(names.at(i));
  for (const Figure& f : figures) out[0].emplace_back(f.head);
  out[0].emplace_back("KV lost");
  for (const Json& row : summary.at("table")) {
    out.push_back({text::count(row.at(0).get<std::uint64_t>())});
    auto& cells = out.back();
    for (std::size_t i = 1; i <= manager; ++i) cells.push_back(text::fit(row.at(i).get<std::string>(), 40));
    if (row.at(status) != "ok") {
      cells.push_back(row.at(status));
      continue;
    }
    const auto show = [](double x, const auto& words) { return std::isfinite(x) ? words(x) : std::string("–"); };
    for (const Figure& f : figures) cells.push_back(show(value(row, f.column), f.show));
    double lost = 0;
    for (const auto part : losses) lost += value(row, part);
    cells.push_back(show(lost, text::percent));
  }
  return out;
}

namespace {
/// "; 3 of 8 meet the SLO; up to 2 of 40 requests are not served, in 4 runs".
std::string shortfalls(const Json& sweep) {
  if (!sweep.contains("slo") || !sweep.contains("unserved")) return "";  // of an older version
  const auto number = [&](const char* what, const char* key) { return sweep.at(what).at(key).get<std::uint64_t>(); };
  std::string out;
  if (const auto judged = number("slo", "judged"); judged > 0)
    out += fmt::format("; {} of {} meet the SLO", text::count(number("slo", "met")), text::count(judged));
  if (const auto runs = number("unserved", "runs"); runs > 0)
    out += fmt::format("; up to {} of {} are not served, in {}", text::count(number("unserved", "most")),
                       text::plural(number("unserved", "of"), "request"), text::plural(runs, "run"));
  return out;
}
}  // namespace

page::Verdict sweep_verdict(const Json& sweep) {
  std::uint64_t all = 0, good = 0;
  for (const auto& [status, n] : sweep.at("status").items()) {
    all += n.get<std::uint64_t>();
    if (status == "ok") good += n.get<std::uint64_t>();
  }
  page::Verdict v{Tone::plain, "", "", {}};
  const Json* most = nullptr;
  const Json* soonest = nullptr;
  for (const Json& c : sweep.at("cloud")) {
    if (most == nullptr || number_at(c, "requests_per_s") > number_at(*most, "requests_per_s")) most = &c;
    if (soonest == nullptr || number_at(c, "ttft_p99_s") < number_at(*soonest, "ttft_p99_s")) soonest = &c;
  }
  v.sentence =
      fmt::format("{}: {} of {} runs went through{}.",
                  text::plural(sweep.at("points").get<std::uint64_t>(), "point"), text::count(good), text::count(all),
                  shortfalls(sweep));
  // Managers whose figure at that point is within 1 % are named together.
  const auto where = [&](const Json& best, std::string_view key) {
    std::vector<std::string> names;
    for (const Json& c : sweep.at("cloud"))
      if (c.at("point") == best.at("point") &&
          std::abs(number_at(c, key) - number_at(best, key)) <= 0.01 * number_at(best, key))
        names.push_back(c.at("manager"));
    const std::string set = best.at("set");
    return text::list(names) + (set.empty() ? "" : " with " + set);
  };
  if (most != nullptr) {
    v.reasons.push_back(fmt::format("Most is served by {}: {} requests/s, p99 TTFT {}.", where(*most, "requests_per_s"),
                                    text::number(number_at(*most, "requests_per_s")),
                                    text::duration(number_at(*most, "ttft_p99_s") * 1e9)));
    if (soonest != most)
      v.reasons.push_back(fmt::format("First tokens come soonest from {}: p99 TTFT {}, {} requests/s.",
                                      where(*soonest, "ttft_p99_s"),
                                      text::duration(number_at(*soonest, "ttft_p99_s") * 1e9),
                                      text::number(number_at(*soonest, "requests_per_s"))));
  }
  const auto some = [&](const char* of, const char* what) {  // nothing in a page of an older version
    return sweep.contains(of) && number_at(sweep.at(of), what) > 0;
  };
  if (some("slo", "judged") && some("unserved", "runs"))
    v.reasons.emplace_back("slo_met counts requests that are not served as missed; all latencies are of the served.");
  if (good < all) {
    v.tone = Tone::mixed;
    v.reasons.push_back(text::plural(all - good, "run") + " could not be; the notes say why.");
  }
  return v;
}

page::Page sweep_page(const ReportInput& input) {
  const Json& sweep = input.data;
  page::Page p{.kind = "sweep report", .title = input.title, .version = input.version};
  p.badges = {input.workload_name, "step costs: " + input.cost_source};
  parts::set_evidence(p, input);
  p.verdict = sweep_verdict(sweep);
  for (const Json& name : sweep.at("managers")) p.series.push_back({name});
  std::vector<std::size_t> axes;
  for (const Json& e : sweep.at("effects"))
    if (axes.empty() || axes.back() != e.at("axis")) axes.push_back(e.at("axis"));
  if (varied(sweep) == 1 && !axes.empty()) p.sections.push_back(effects(sweep, axes[0]));
  p.sections.push_back(maps(sweep));
  if (varied(sweep) > 1)
    for (const std::size_t a : axes) p.sections.push_back(effects(sweep, a));
  p.sections.push_back(cloud(sweep));
  p.sections.push_back(points(sweep));
  p.sections.push_back(parts::inputs(input));
  p.sections.push_back(notes(input));
  p.sections.push_back(
      parts::provenance(input, "sweep.csv: every point; report.json rebuilds this page: stowage report FOLDER"));
  p.summary_json = sweep.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return p;
}
}  // namespace stowage
