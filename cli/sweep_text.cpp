#include "cli/sweep_text.hpp"

#include <fmt/format.h>

#include "cli/table.hpp"
#include "reports/sweep_page.hpp"
#include "reports/text.hpp"

namespace stowage::cli {
namespace {
using Json = nlohmann::ordered_json;
}  // namespace

std::string sweep_text(const Json& summary) {
  const page::Verdict verdict = sweep_verdict(summary);
  std::string out = wrapped(verdict.sentence);
  for (const auto& reason : verdict.reasons) out += wrapped(reason);
  return out;
}

std::string sweep_markdown(const Json& summary, const std::string& name) {
  const page::Verdict verdict = sweep_verdict(summary);
  std::string out = "**" + text::markdown(verdict.sentence) + "**\n";
  for (const auto& reason : verdict.reasons) out += text::markdown(reason) + "\n";
  out += "\n" + text::markdown(name) + "\n\n" + markdown_table(sweep_rows(summary));
  std::uint64_t all = 0;
  for (const auto& [status, n] : summary.at("status").items()) all += n.get<std::uint64_t>();
  if (const auto shown = summary.at("table").size(); shown < all)
    out += fmt::format("\nThe first {} of {} rows; --format csv prints all.\n", text::count(shown), text::count(all));
  if (!summary.at("failures").empty()) out += "\n";
  for (const Json& f : summary.at("failures"))
    out += fmt::format("- point {}: {}: {}\n", f.at("point").get<std::uint64_t>(), f.at("status").get<std::string>(),
                       text::markdown(f.at("note").is_string() ? f.at("note").get<std::string>() : ""));
  return out;
}
}  // namespace stowage::cli
