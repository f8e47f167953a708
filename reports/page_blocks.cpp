// The blocks of a page as HTML. Every text that comes from outside goes through text::html.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/page_html.hpp"
#include "reports/text.hpp"

namespace stowage::page {
namespace {
using text::html;
constexpr std::size_t shapes_count = 7, colours_count = 7;

std::string_view tone_class(Tone tone) {
  static constexpr std::array<std::string_view, 5> classes = {"", "best", "pass", "mixed", "fail"};
  return classes[static_cast<std::size_t>(tone)];
}

std::string cell(const Cell& c) {
  std::string out = html(c.text);
  if (c.tone == Tone::best) out = "<strong title=\"best\">" + out + "</strong>";
  if (!c.word.empty())
    out += fmt::format("{}<span class=\"word {}\">{}</span>", out.empty() ? "" : " ", tone_class(c.tone), html(c.word));
  if (!c.small.empty()) out += "<br><small>" + html(c.small) + "</small>";
  return out;
}

/// A legend's entry: a square of that colour and what it stands for.
std::string key(std::string_view colour, std::string_view label, std::string_view shown) {
  return fmt::format("<li><i class=\"key\" style=\"background:var(--{})\"></i><span>{}{}</span></li>", html(colour),
                     html(label), shown.empty() ? "" : " <small>" + html(shown) + "</small>");
}

std::size_t row_count(const Table& table) {
  std::size_t n = 0;
  for (const RowGroup& g : table.groups) n += g.rows.size();
  return n;
}

std::string cards(const Cards& cards) {
  std::string out;
  for (const Card& card : cards.cards) {
    out += "<div class=\"panel\">" + (card.title.empty() ? "" : "<h3>" + html(card.title) + "</h3>") + "<dl>";
    for (const Fact& f : card.facts) {
      if (!f.value.empty()) out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", html(f.label), html(f.value));
    }
    out += "</dl></div>\n";
  }
  return out.empty() ? "" : "<div class=\"cards\">" + out + "</div>\n";
}

std::string notes(const Notes& notes) {
  std::string out;
  for (const std::string& line : notes.lines) out += "<li>" + html(line) + "</li>\n";
  return out.empty() ? "" : "<ul class=\"notes\">" + out + "</ul>\n";
}
}  // namespace

Writer::Writer(const Page& page) : page_(page) {
  for (Series s : page.series) {
    if (!s.colour) s.colour = series_.size() % colours_count;
    if (!s.shape) s.shape = series_.size() % shapes_count;
    series_.push_back(std::move(s));
  }
}

std::size_t Writer::series_index(const std::string& series) {
  const auto at = std::ranges::find(series_, series, &Series::name);
  if (at != series_.end()) return static_cast<std::size_t>(at - series_.begin());
  series_.push_back({series, series_.size() % colours_count, series_.size() % shapes_count});
  return series_.size() - 1;
}

std::string Writer::mark(const std::string& series) {
  static constexpr std::array<std::string_view, shapes_count> shapes = {
      R"(<circle cx="7" cy="7" r="5.5"/>)",
      R"(<path d="M7 1 13 12.5H1z"/>)",
      R"(<path d="M7 .5 13.5 7 7 13.5.5 7z"/>)",
      R"(<path d="M1.5 1.5h11v11h-11z"/>)",
      R"(<rect x="1" y="3" width="12" height="8" rx="3"/>)",
      R"(<path d="M7 1 12 13 7 10 2 13z"/>)",
      R"(<path d="M7 13 2 6a5 5 0 1 1 10 0z"/>)"};
  if (series.empty()) return "";
  const std::size_t i = series_index(series);
  return fmt::format(
      "<svg class=\"mark\" data-m=\"{}\" viewBox=\"0 0 14 14\" aria-hidden=\"true\" style=\"fill:var(--m{})\">{}</svg>",
      i, *series_[i].colour % colours_count, shapes[*series_[i].shape % shapes_count]);
}

std::string Writer::all_marks() {
  std::string out = "<div id=\"marks\" hidden>";
  for (std::size_t i = 0; i < series_.size(); ++i) out += mark(std::string(series_[i].name));
  return out + "</div>\n";
}

std::string Writer::evidence_badge(std::string_view element) const {
  if (page_.evidence.empty()) return "";
  return fmt::format("<{0} class=\"badge{1}\" title=\"{2}\">evidence: {3}</{0}>", element,
                     page_.evidence_measured ? "" : " warn", html(page_.evidence_words), html(page_.evidence));
}

std::string Writer::name(const Name& n) {
  const std::string badge = n.badge.empty() ? "" : fmt::format("<small class=\"ships\">{}</small>", html(n.badge));
  return fmt::format("<span class=\"name\">{}{}{}</span>", mark(n.series), html(n.text), badge);
}

std::string Writer::table(const Table& table, bool framed) {
  std::string out = fmt::format("<table{}><thead><tr>", framed ? " class=\"wide\"" : "");
  for (const Name& column : table.columns) out += "<th scope=\"col\">" + name(column) + "</th>";
  out += "</tr></thead>\n";
  for (const RowGroup& group : table.groups) {
    out += "<tbody>";
    if (!group.title.empty()) {
      out += fmt::format("<tr><th scope=\"rowgroup\" colspan=\"{}\">{}</th></tr>\n", table.columns.size(),
                         html(group.title));
    }
    for (const Row& row : group.rows) {
      out += "<tr><th scope=\"row\">" + name(row.name) + "</th>";
      for (const Cell& c : row.cells) out += "<td>" + cell(c) + "</td>";
      out += "</tr>\n";
    }
    out += "</tbody>\n";
  }
  out += "</table>";
  if (!framed)
    return "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" + html(table.label) + "\">" + out +
           "</div>";
  return fmt::format(
      "<div class=\"framed\"><p class=\"remark\">{}<span>{}</span></p><div class=\"scroll\" tabindex=\"0\" "
      "role=\"region\" aria-label=\"{}\">{}</div></div>\n",
      evidence_badge("span"), html(table.remark), html(table.label), out);
}

std::string Writer::folded(const Table& t) {
  if (row_count(t) == 0) return "";
  return fmt::format(
      "<details class=\"data\"><summary>Table</summary><p class=\"remark\">{}<span>{}</span></p>{}</details>",
      evidence_badge("span"), html(t.remark), table(t, false));
}

std::string Writer::figure(const Figure& f) {
  const std::string json = chart_json(f.chart, *this);
  std::string out = fmt::format("<div class=\"panel figure\"><h3>{}</h3><p class=\"say\">{}</p>\n", name(f.title),
                                text::html_sentence(f.sentence));
  if (!json.empty()) {
    std::size_t lanes = 0;  // charts of rows grow with them
    if (const auto* t = std::get_if<Timeline>(&f.chart)) lanes = t->lanes.size();
    if (const auto* t = std::get_if<Tornado>(&f.chart)) lanes = t->changes.size();
    std::string height =
        lanes == 0 ? "" : fmt::format(" style=\"height:{}px\"", 70 + 34 * std::min<std::size_t>(lanes, 40));
    if (const auto* t = std::get_if<HeatMap>(&f.chart))
      height = fmt::format(" style=\"height:{}px\"", 140 + 34 * std::clamp<std::size_t>(t->rows.size(), 2, 7));
    out += fmt::format(
        "<div class=\"chart {0}\" data-figure=\"{1}\" data-chart=\"{0}\" role=\"img\" aria-label=\"{2}: "
        "{3}\"{4}></div>\n",
        chart_kind(f.chart), charts_.size(), html(f.title.text), html(f.sentence), height);
    charts_.push_back(json);
    if (!f.note.empty()) out += "<p class=\"note\">" + html(f.note) + "</p>\n";
  }
  return out + folded(f.table) + "</div>\n";
}

std::string Writer::bars(const Bars& b) {
  std::string out = "<div class=\"panel\"><div class=\"bars\">\n";
  for (const Bars::Bar& bar : b.bars) {
    double total = 0;
    for (const Share& s : bar.shares) total += std::isfinite(s.value) ? std::max(s.value, 0.0) : 0;
    std::string pieces, label;
    for (const Share& s : bar.shares) {
      const double share = total > 0 && std::isfinite(s.value) ? std::max(s.value, 0.0) / total : 0;
      if (share > 0) {
        pieces += fmt::format("<i style=\"flex:0 0 {:.4f}%;background:var(--{})\" title=\"{}: {}\"></i>", share * 100,
                              html(s.colour), html(s.label), html(s.shown));
      }
      label += (label.empty() ? "" : ", ") + s.label + " " + s.shown;
    }
    out += fmt::format(
        "<div class=\"row\"><span class=\"who\">{}</span><div class=\"bar\" role=\"img\" aria-label=\"{}: {}\">{}</div>"
        "<span class=\"sum\">{}</span></div>\n",
        name(bar.name), html(bar.name.text), html(label), pieces, html(bar.sum));
  }
  out += "</div>\n";
  if (!b.legend.empty()) {
    out += "<ul class=\"legend below\">";
    for (const Share& s : b.legend) out += key(s.colour, s.label, s.shown);
    out += "</ul>\n";
  }
  if (!b.words.empty()) out += "<p class=\"words\">" + html(b.words) + "</p>\n";
  return out + folded(b.table) + "</div>\n";
}

std::string Writer::legend(const Legend& l) {
  std::string out = "<ul class=\"legend\">";
  if (l.all_series) {
    for (const Series& s : page_.series) out += "<li>" + mark(s.name) + "<span>" + html(s.name) + "</span></li>";
  }
  for (const Share& s : l.entries) out += key(s.colour, s.label, s.shown);
  return out + "</ul>\n";
}

std::string Writer::code(const Code& c) {
  static constexpr std::string_view form =
      "<div class=\"copied\"><button type=\"button\" hidden data-copy=\"{0}\">Copy</button>"
      "<pre id=\"{0}\" class=\"{1}\" tabindex=\"0\">{2}</pre></div>";
  const std::string id = fmt::format("copy-{}", copies_++);
  const std::string pre = fmt::format(form, id, c.folded ? "" : "line", html(c.text));
  if (!c.folded)
    return "<div class=\"panel\">" + (c.title.empty() ? "" : "<h3>" + html(c.title) + "</h3>") + pre + "</div>\n";
  return "<div class=\"panel fold\"><details><summary>" + html(c.title) + "</summary>" + pre + "</details></div>\n";
}

std::string Writer::block(const Block& b) {
  if (const auto* t = std::get_if<Table>(&b)) return table(*t, true);
  if (const auto* t = std::get_if<Bars>(&b)) return bars(*t);
  if (const auto* t = std::get_if<Figure>(&b)) return figure(*t);
  if (const auto* t = std::get_if<Cards>(&b)) return cards(*t);
  if (const auto* t = std::get_if<Notes>(&b)) return notes(*t);
  if (const auto* t = std::get_if<Code>(&b)) return code(*t);
  if (const auto* t = std::get_if<Legend>(&b)) return legend(*t);
  std::string out = "<div class=\"pair\">\n";
  for (const Figure& f : std::get<Figures>(b).figures) out += figure(f);
  return out + "</div>\n";
}

std::string Writer::section(const Section& s) {
  std::string body;
  for (const Block& b : s.blocks) body += block(b);
  if (body.empty()) return "";
  return fmt::format(
      "<section id=\"{0}\" aria-labelledby=\"{0}-title\"><h2 id=\"{0}-title\">{1}</h2>\n<p class=\"say\">{2}</p>\n{3}"
      "</section>\n",
      html(s.id), html(s.title), text::html_sentence(s.sentence), body);
}

std::string Writer::chart_data() const {
  using Json = nlohmann::json;
  std::string series, figures;
  for (const Series& s : series_) {
    series += fmt::format("{}{{\"name\":{},\"colour\":{},\"shape\":{}}}", series.empty() ? "" : ",",
                          Json(s.name).dump(-1, ' ', false, Json::error_handler_t::replace), *s.colour, *s.shape);
  }
  for (const std::string& chart : charts_) figures += (figures.empty() ? "" : ",\n") + chart;
  return "{\"series\":[" + series + "],\n\"figures\":[" + figures + "]}";
}
}  // namespace stowage::page
