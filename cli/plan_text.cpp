#include "cli/plan_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cli/plan_tables.hpp"
#include "cli/table.hpp"
#include "reports/text.hpp"

namespace stowage::cli {
namespace {
/// Lines of at most `text_columns`, broken between options as a shell joins them again.
std::string continued(const std::vector<std::string>& options, std::string_view indent) {
  std::string out, line(indent);
  for (std::size_t i = 0; i < options.size(); ++i) {
    const bool fresh = i == 0;
    if (!fresh && text::width(line) + 1 + text::width(options[i]) + 2 > text_columns) {
      out += line + " \\\n";
      line = std::string(indent) + "  " + options[i];
    } else {
      line += (fresh ? "" : " ") + options[i];
    }
  }
  return out + line + "\n";
}

/// Cost a token upwards, time a token to the right, both logarithmic.
std::string pareto_chart(const Plan& plan) {
  constexpr std::size_t width = 88, height = 5;
  const auto front = pareto_front(plan);
  std::vector<std::size_t> all;
  for (const std::size_t i : plan.found.searched)
    if (plan.bench.candidates[i].capacity.at) all.push_back(i);
  if (all.size() < 3) return "";
  const auto x_of = [&](std::size_t i) { return plan.bench.candidates[i].capacity.at->tpot_p50_ns; };
  const auto y_of = [&](std::size_t i) { return unit_cost(plan.bench, plan.bench.candidates[i]); };
  const auto [x0, x1] = std::ranges::minmax(all, {}, x_of);
  const auto [y0, y1] = std::ranges::minmax(all, {}, y_of);
  const auto cell = [](double v, double low, double high, std::size_t n) {
    if (!(high > low) || !(low > 0)) return std::size_t{0};
    return static_cast<std::size_t>(std::lround(std::log(v / low) / std::log(high / low) * static_cast<double>(n - 1)));
  };
  std::vector<std::string> grid(height, std::string(width, ' '));
  const auto mark = [&, left = x0, right = x1, least = y0, most = y1](std::size_t i, char c) {
    grid[height - 1 - cell(y_of(i), y_of(least), y_of(most), height)][cell(x_of(i), x_of(left), x_of(right), width)] =
        c;
  };
  for (const std::size_t i : all) mark(i, 'o');
  for (const std::size_t i : front) mark(i, '*');
  if (!plan.found.ranking.empty()) mark(plan.found.ranking.front(), '1');
  std::string out = fmt::format("{} per million output tokens against time per output token, at the sustained rate\n",
                                plan.bench.priced ? "USD" : "GPU-hours");
  for (std::size_t r = 0; r < height; ++r) {
    const std::string label = r == 0 ? text::number(y_of(y1)) : r + 1 == height ? text::number(y_of(y0)) : "";
    out += fmt::format("{:>9} |{}\n", label, grid[r].substr(0, grid[r].find_last_not_of(' ') + 1));
  }
  // The axis carries its ends and what the marks mean.
  const std::string left = text::duration(x_of(x0)) + " ", right = " " + text::duration(x_of(x1));
  const std::string legend =
      fmt::format(" 1 = the first above, * = on the front ({}), o = other ({} searched) ", front.size(), all.size());
  return out + fmt::format("{:>9} +{}{:-^{}}{}\n", "", left, legend, width - left.size() - right.size(), right);
}

std::string commands(const Plan& plan, bool all, std::string_view indent) {
  const auto recipes = recipes_of(plan, all);
  if (recipes.empty()) return "";
  const std::size_t more = std::min(plan.found.ranking.size(), ranked_max) - recipes.size();
  std::string out = more == 0 ? "to get them:\n"
                              : fmt::format(
                                    "to get the first (the other {}: --commands, or plan.json, plan.csv and the "
                                    "page of -o DIR):\n",
                                    more);
  if (recipes.size() == 1 && more == 0) out = "to get it:\n";
  for (const Recipe& recipe : recipes)
    for (std::size_t i = 0; i < recipe.commands.size(); ++i) {
      if (i == 0 && recipes.size() > 1) out += fmt::format("# {}\n", recipe.rank);
      const std::string text = continued(recipe.commands[i], indent);
      out += text;
    }
  return out;
}
}  // namespace

std::string plan_text(const Plan& plan, bool all_commands) {
  const Ranked ranked = ranked_rows(plan, text_columns);
  std::string out = wrapped(plan.decision.text);
  std::string sure;
  for (const auto& sentence : sureness_of(plan)) sure += wrapped(sentence);
  const auto changes = changes_of(plan);
  if (!changes.empty()) sure += "what would change it:\n";
  for (const auto& change : changes) sure += wrapped(change, "  - ", "    ");
  std::string basis;
  for (const auto& line : basis_of(plan)) basis += wrapped(line, "", "  ");
  for (const std::string& part : {table(slo_rows(plan)), table(manager_rows(plan, text_columns)),
                                  ranked.rows.empty() ? std::string() : wrapped(ranked.title) + table(ranked.rows),
                                  pareto_chart(plan), sure, basis, commands(plan, all_commands, "  ")})
    if (!part.empty()) out += "\n" + part;
  return out;
}

std::string plan_markdown(const Plan& plan, bool all_commands) {
  const auto paragraph = [](const std::string& sentence) { return text::markdown(sentence) + "\n"; };
  const Ranked ranked = ranked_rows(plan, 0);
  std::string out = "**" + text::markdown(plan.decision.text) + "**\n";
  for (const std::string& part :
       {markdown_table(slo_rows(plan)), markdown_table(manager_rows(plan, 0)),
        ranked.rows.empty() ? std::string() : paragraph(ranked.title) + "\n" + markdown_table(ranked.rows)})
    if (!part.empty()) out += "\n" + part;
  out += "\n";
  for (const auto& sentence : sureness_of(plan)) out += "- " + paragraph(sentence);
  for (const auto& change : changes_of(plan)) out += "- what would change it: " + paragraph(change);
  for (const auto& line : basis_of(plan)) out += "- " + paragraph(line);
  const std::string copy = commands(plan, all_commands, "");
  if (copy.empty()) return out;
  const auto end = copy.find('\n');
  return out + "\n" + paragraph(copy.substr(0, end)) + "\n```\n" + copy.substr(end + 1) + "```\n";
}
}  // namespace stowage::cli
