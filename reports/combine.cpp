// Several folders on one page.
#include <fmt/format.h>

#include <algorithm>

#include "reports/saved.hpp"
#include "reports/text.hpp"

namespace stowage {
namespace {
template <class Field>
bool alike(const std::vector<NamedInput>& all, Field field) {
  return std::ranges::all_of(all, [&](const NamedInput& n) { return field(n.input) == field(all.front().input); });
}

std::vector<std::pair<std::string, double>> limits(const ReportInput& input) {
  std::vector<std::pair<std::string, double>> out;
  for (const LatencyLimit& l : input.slo) out.emplace_back(l.key, l.limit_ns);
  return out;
}
std::vector<std::pair<std::string, std::int64_t>> shares(const ReportInput& input) {
  std::vector<std::pair<std::string, std::int64_t>> out;
  for (const BudgetPart& b : input.budget) out.emplace_back(b.label, b.bytes);
  return out;
}
}  // namespace

ReportInput combine(std::vector<NamedInput> all, std::string command) {
  ReportInput out;
  if (all.empty()) return out;
  const ReportInput& first = all.front().input;
  out.version = first.version;
  out.command = std::move(command);
  if (alike(all, [](const ReportInput& i) { return i.workload_name; })) out.workload_name = first.workload_name;
  if (alike(all, [](const ReportInput& i) { return i.ledger; })) out.ledger = first.ledger;
  if (alike(all, [](const ReportInput& i) { return i.seed; })) out.seed = first.seed;
  if (alike(all, limits))
    out.slo = first.slo;
  else
    out.notes.push_back("The folders ask for different service levels: see each folder's own page.");
  if (alike(all, shares) && alike(all, [](const ReportInput& i) { return i.kv_line; })) {
    out.budget = first.budget;
    out.kv_line = first.kv_line;
  }
  std::vector<std::string> titles, sources;
  for (NamedInput& n : all) {
    ReportInput& in = n.input;
    if (std::ranges::find(titles, in.title) == titles.end()) titles.push_back(in.title);
    if (std::ranges::find(sources, in.cost_source) == sources.end()) sources.push_back(in.cost_source);
    out.evidence = &n == &all.front() ? in.evidence : std::max(out.evidence, in.evidence);  // the weakest
    out.scenario[n.folder] = in.scenario;
    out.resolved_yaml += "# " + n.folder + "\n" + in.resolved_yaml + "\n";
    for (Card& card : in.cards) out.cards.push_back({n.folder + ": " + card.title, std::move(card.facts)});
    for (const std::string& note : in.notes) out.notes.push_back(n.folder + ": " + note);
    for (RunResult& run : in.runs) {
      const bool shared = std::ranges::any_of(all, [&](const NamedInput& other) {
        return &other != &n && std::ranges::any_of(other.input.runs, [&](const RunResult& r) {
          return r.manager.name == run.manager.name;
        });
      });
      if (shared) run.name += " · " + n.folder;
    }
  }
  for (NamedInput& n : all) {
    for (RunResult& run : n.input.runs) {
      out.runs.push_back(std::move(run));
      out.folders.push_back(n.folder);
    }
  }
  if (titles.size() > 3) titles = {titles[0], titles[1], fmt::format("{} more", titles.size() - 2)};
  out.title = text::list(titles);
  out.cost_source = text::list(sources);
  return out;
}

void pair_up(ReportInput& two) {
  std::vector<RunResult> runs = std::move(two.runs);
  std::vector<std::string> folders = std::move(two.folders);
  two.runs.clear(), two.folders.clear();
  std::vector<bool> taken(runs.size(), false);
  const auto take = [&](std::size_t i) {
    taken[i] = true;
    two.runs.push_back(std::move(runs[i]));
    two.folders.push_back(std::move(folders[i]));
  };
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (taken[i]) continue;
    const std::string folder = folders[i], manager = runs[i].manager.name;
    take(i);
    for (std::size_t j = i + 1; j < runs.size(); ++j) {
      if (taken[j] || folders[j] == folder || runs[j].manager.name != manager) continue;
      take(j);
      break;
    }
  }
}
}  // namespace stowage
