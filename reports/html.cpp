#include "reports/html.hpp"

#include "reports/run_page.hpp"

namespace stowage {
std::string to_html(const ReportInput& input) { return page::to_html(run_page(input)); }
}  // namespace stowage
