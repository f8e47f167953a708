// Sections that the pages of several commands share.
#include <fmt/format.h>

#include <algorithm>

#include "reports/run_page.hpp"
#include "reports/text.hpp"
#include "reports/words.hpp"

namespace stowage::parts {

void set_evidence(page::Page& p, const ReportInput& input) {
  p.evidence = evidence_name(input.evidence);
  p.evidence_words = words::evidence(input.evidence);
  p.evidence_measured = input.evidence == Evidence::measured || input.evidence == Evidence::scaled;
}

page::Section budget(const ReportInput& input) {
  page::Section out{"budget", "Memory budget", words::budget(input), {}};
  if (input.budget.empty() && input.kv_line.empty()) return out;
  page::Bars bars;
  bars.words = input.kv_line;
  if (input.budget.empty()) {
    out.sentence = "The KV pool was given in the scenario.";
    out.blocks.emplace_back(std::move(bars));
    return out;
  }
  double total = 0;
  for (const BudgetPart& p : input.budget) total += static_cast<double>(std::max<std::int64_t>(p.bytes, 0));
  page::Bars::Bar bar{"each GPU", {}, text::bytes(total)};
  bars.table = {"Memory budget", {"of each GPU", "memory", "share"}, {{"", {}}}, ""};
  std::size_t other = 0;
  for (const BudgetPart& p : input.budget) {
    const std::string colour = p.is_kv_pool ? "live" : fmt::format("b{}", std::min<std::size_t>(other++, 4));
    const double bytes = static_cast<double>(std::max<std::int64_t>(p.bytes, 0));
    const std::string share = text::percent(total > 0 ? bytes / total : 0);
    bar.shares.push_back({p.label, colour, bytes, text::bytes(bytes)});
    bars.legend.push_back({p.label, colour, 0, text::bytes(bytes) + " · " + share});
    bars.table.groups[0].rows.push_back({p.label, {{text::bytes(bytes)}, {share}}});
  }
  bars.bars.push_back(std::move(bar));
  out.blocks.emplace_back(std::move(bars));
  return out;
}

page::Section inputs(const ReportInput& input) {
  page::Cards cards;
  for (const Card& c : input.cards) {
    page::Card card{c.title, {}};
    for (const Fact& f : c.facts) card.facts.push_back({f.label, f.value});
    cards.cards.push_back(std::move(card));
  }
  page::Section out{
      "inputs",
      "What was simulated",
      input.ledger.empty() ? "The requests, the model and the machine." : "Workload: " + input.ledger + ".",
      {}};
  if (!cards.cards.empty()) out.blocks.emplace_back(std::move(cards));
  return out;
}

page::Section provenance(const ReportInput& input, std::string_view beside) {
  page::Card facts{"",
                   {{"version", input.version},
                    {"workload", input.workload_name},
                    {"seed", input.seed.empty() ? "none: nothing is random" : input.seed},
                    {"step costs", input.cost_source},
                    {"evidence", words::evidence(input.evidence)},
                    {"beside this page", std::string(beside)}}};
  page::Section out{
      "provenance",
      "Provenance",
      "This command gives the same numbers again; with -o FOLDER, this page. The page holds its numbers with all "
      "digits, in a script element named summary.json; the full data lie beside it.",
      {}};
  out.blocks.emplace_back(page::Code{"", input.command});
  out.blocks.emplace_back(page::Cards{{std::move(facts)}});
  if (!input.resolved_yaml.empty()) out.blocks.emplace_back(page::Code{"Resolved scenario", input.resolved_yaml, true});
  return out;
}
}  // namespace stowage::parts
