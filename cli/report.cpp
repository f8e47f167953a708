// stowage report DIR...: the page of a result folder again, or one page of several folders.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "reports/html.hpp"
#include "reports/saved.hpp"

namespace stowage::cli {
namespace {
namespace fs = std::filesystem;

ReportInput load_report(const std::string& folder) {
  const fs::path path = fs::path(folder) / "report.json";
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    throw InputError({folder, 0, 0},
                     fmt::format("no report.json can be read here; give a folder that 'stowage run … -o' "
                                 "(or plan, sweep, compare) has written"));
  }
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return from_saved(text, path.string());
}

/// Complete or not at all, as the folder it came from.
void write_page(const fs::path& path, const std::string& page) {
  const fs::path part = path.string() + ".part";
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  out << page;
  out.close();
  std::error_code error;
  if (out) fs::rename(part, path, error);
  if (out && !error) return;
  fs::remove(part, error);
  throw EnvironmentError("cannot write '" + path.string() + "'");
}
}  // namespace

Outcome make_report(const Options& options) {
  std::vector<NamedInput> inputs;
  for (const std::string& folder : options.inputs) inputs.push_back({folder, load_report(folder)});
  if (inputs.size() > 1 && options.output.empty()) {
    throw InputError({}, "a page of several folders has no place of its own; say where with -o FILE.html");
  }
  for (const NamedInput& n : inputs) {
    if (inputs.size() > 1 && n.input.kind != "run")
      throw InputError({n.folder, 0, 0}, "this is a page of '" + n.input.kind +
                                             "'; only results of 'stowage run' can share a page");
  }
  const fs::path path =
      options.output.empty() ? fs::path(options.inputs.front()) / "report.html" : fs::path(options.output);
  if (!options.output.empty() && fs::exists(path) && !options.force) {
    throw InputError({path.string(), 0, 0}, "this file is there already; replace it with --force");
  }
  const ReportInput input =
      inputs.size() == 1 ? std::move(inputs.front().input) : combine(std::move(inputs), options.command_line);
  write_page(path, to_html(input));
  return {.text = path.string() + "\n"};
}
}  // namespace stowage::cli
