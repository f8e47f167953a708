#include "cli/about.hpp"

#include <fmt/format.h>

#include "cli/build_info.hpp"
#include "reports/html.hpp"

namespace stowage::cli {

std::string version() {
  const std::string commit = build_commit;
  return commit.empty() ? build_version : fmt::format("{} ({})", build_version, commit);
}

std::string version_text() {
  return fmt::format("stowage {}\n{}, {}\ncharts in reports: {}\n", version(), build_compiler, build_type,
                     charts_built_in() ? "built in" : "not built in (tables only; install npm and build again)");
}

std::string licences_text() {
  return "Stowage: Apache License, Version 2.0 (see LICENSE).\n"
         "Linked: fmt (MIT), yaml-cpp (MIT), nlohmann-json (MIT), CLI11 (BSD 3-Clause), oneTBB (Apache 2.0).\n\n" +
         report_licences();
}
}  // namespace stowage::cli
