#include "reports/html.hpp"

#include "base/error.hpp"
#include "reports/compare_page.hpp"
#include "reports/plan_page.hpp"
#include "reports/run_page.hpp"
#include "reports/sweep_page.hpp"

namespace stowage {
std::string to_html(const ReportInput& input) {
  try {
    return page::to_html(input.kind == "plan"      ? plan_page(input)
                         : input.kind == "sweep"   ? sweep_page(input)
                         : input.kind == "compare" ? compare_page(input)
                                                   : run_page(input));
  } catch (const nlohmann::json::exception&) {
    throw InputError({}, "the data of this " + input.kind + " is not what stowage writes; make it again");
  }
}
}  // namespace stowage
