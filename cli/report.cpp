// stowage report DIR...: the page of a result folder again, or one page of several folders.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "base/read_file.hpp"
#include "cli/commands.hpp"
#include "reports/folder.hpp"
#include "reports/folder_moves.hpp"
#include "reports/html.hpp"
#include "reports/output_file.hpp"
#include "reports/saved.hpp"

namespace stowage::cli {
namespace {
namespace fs = std::filesystem;

ReportInput load_report(const std::string& folder) {
  return read_unchanged(folder, [&] {
    const fs::path path = result_path(folder, "report.json");
    if (std::error_code ignored; !fs::exists(path, ignored)) {
      throw InputError({folder, 0, 0},
                       fmt::format("no report.json can be read here; give a folder that 'stowage run … -o' "
                                   "(or plan, sweep, compare) has written"));
    }
    return from_saved(read_file(path.string(), whole_bytes_max), (fs::path(folder) / "report.json").string());
  });
}

ReportInput load_all(const Options& options) {
  std::vector<NamedInput> inputs;
  for (const std::string& folder : options.inputs) inputs.push_back({folder, load_report(folder)});
  for (const NamedInput& n : inputs) {
    if (inputs.size() > 1 && n.input.kind != "run")
      throw InputError({n.folder, 0, 0}, "this is a page of '" + n.input.kind +
                                             "'; only results of 'stowage run' can share a page");
  }
  return inputs.size() == 1 ? std::move(inputs.front().input) : combine(std::move(inputs), options.command_line);
}

/// The page of what was saved. What is no page's data is said with the file that holds it.
std::string page_of_all(const Options& options) {
  const ReportInput input = load_all(options);
  try {
    return to_html(input);
  } catch (const InputError& error) {
    throw InputError({(fs::path(options.inputs.front()) / "report.json").string(), 0, 0},
                     "/data: " + error.problems().front().message);
  }
}
}  // namespace

Outcome make_report(const Options& options) {
  if (!options.output.empty()) {
    WholeFile page(options.output, options.force);
    page.file().write(page_of_all(options));
    page.commit();
    return {.text = visible(options.output) + "\n"};
  }
  if (options.inputs.size() > 1)
    throw InputError({}, "a page of several folders has no place of its own; say where with -o FILE.html");
  const std::string& given = options.inputs.front();
  (void)load_report(given);  // what is no result is refused before anything is made beside it
  ResultFolder folder(given, Into::ours);
  folder.write("report.html", page_of_all(options));
  folder.commit();
  return {.text = visible((fs::path(given) / "report.html").string()) + "\n"};
}
}  // namespace stowage::cli
