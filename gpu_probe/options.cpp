#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <sstream>

#include "base/error.hpp"
#include "gpu_probe/report.hpp"

#ifndef STOWAGE_VERSION
#define STOWAGE_VERSION "0.0.0"
#endif
#ifndef STOWAGE_CUDA_VERSION
#define STOWAGE_CUDA_VERSION "none"
#endif

namespace stowage::probe {
namespace {
namespace po = boost::program_options;

[[noreturn]] void bad_usage(const std::string& what) { throw InputError(SourcePos{}, what + "; see gpu_probe --help"); }

std::string part_list(std::span<const Part* const> parts) {
  std::string out;
  for (const Part* part : parts) out += fmt::format("  {:<12} {}\n", part->name, part->summary);
  return out;
}

po::options_description describe(Options& o) {
  po::options_description d("Options");
  d.add_options()("help,h", "print this and exit")("version", "print the version and exit")(
      "list", "list the parts and the models and exit")("output,o", po::value(&o.output)->value_name("FILE"),
                                                        "write the figures as JSON (all: probe.json by default)")(
      "quick", po::bool_switch(&o.quick), "fewer points, 2 % noise instead of 0.5 %")(
      "model", po::value(&o.model)->value_name("NAME")->default_value(o.model), "model whose shapes are measured")(
      "device", po::value(&o.device)->value_name("N")->default_value(o.device), "GPU, as CUDA counts them")(
      "layers", po::value(&o.layers)->value_name("N"), "layers of a whole iteration (all of the model's by default)")(
      "seed", po::value(&o.seed)->value_name("N")->default_value(o.seed), "seed of data and orders")(
      "shared", po::bool_switch(&o.shared), "measure although others use the GPU; the file says so");
  return d;
}

void check(const Options& o, std::span<const Part* const> parts) {
  bool known = o.command == "all" || o.command == "selftest";
  std::string names = "all, selftest";
  for (const Part* part : parts) {
    known = known || part->name == o.command;
    names += fmt::format(", {}", part->name);
  }
  if (!known) bad_usage(fmt::format("no part '{}'; there are {}", o.command, names));
  if (find_model_shape(o.model) == nullptr) {
    std::string models;
    for (const ModelShape& m : model_shapes()) models += fmt::format("{}{}", models.empty() ? "" : ", ", m.name);
    bad_usage(fmt::format("--model: no shapes for '{}'; there are {}", o.model, models));
  }
  if (o.device < 0) bad_usage(fmt::format("--device {}: must be 0 or more", o.device));
  if (o.layers < 0) bad_usage(fmt::format("--layers {}: must be 1 or more", o.layers));
}
}  // namespace

Options parse_options(int argc, const char* const* argv, std::span<const Part* const> parts, std::string& text) {
  Options o;
  po::options_description visible = describe(o);
  po::options_description all;
  all.add(visible);
  std::vector<std::string> commands;
  all.add_options()("command", po::value(&commands));
  po::positional_options_description positional;
  positional.add("command", -1);
  po::variables_map values;
  try {
    using namespace po::command_line_style;
    po::store(po::command_line_parser(argc, argv)
                  .options(all)
                  .positional(positional)
                  .style(unix_style & ~allow_guessing)
                  .run(),
              values);
    po::notify(values);
  } catch (const po::error& e) { bad_usage(e.what()); }
  if (values.count("help") != 0) {
    std::ostringstream help;
    help << "Usage: gpu_probe all|selftest|PART [options]\n"
            "       gpu_probe replay SCENARIO [options]    (see gpu_probe replay --help)\n"
            "Measures what a GPU's driver, memory and kernels cost, for `stowage calibrate`.\n"
            "replay runs a scenario for real, for `stowage validate`.\n"
            "selftest checks every kernel against a float64 reference.\n\nParts:\n"
         << part_list(parts) << '\n'
         << visible
         << "\nExit codes: 0 measured (or waived, with the reason), 1 no usable GPU or a failure, 2 bad usage,\n"
            "130/143 interrupted (what was measured is kept).\n";
    text = help.str();
  } else if (values.count("version") != 0) {
    text = fmt::format("gpu_probe {} ({}, CUDA {})\n", STOWAGE_VERSION, schema_name, STOWAGE_CUDA_VERSION);
  } else if (values.count("list") != 0) {
    text = "parts:\n" + part_list(parts) + "models:\n";
    for (const ModelShape& m : model_shapes())
      text += fmt::format("  {:<12} {} layers, hidden {}, {}/{} heads of {}, ffn {}\n", m.name, m.layers, m.hidden,
                          m.heads, m.kv_heads, m.head_dim, m.intermediate);
  }
  if (!text.empty()) return o;
  if (commands.size() > 1)
    bad_usage(fmt::format("one part at a time, or all; got '{}' and '{}'", commands[0], commands[1]));
  if (commands.empty()) bad_usage("which part? (gpu_probe all measures everything)");
  o.command = commands.front();
  check(o, parts);
  if (values.count("layers") != 0 && o.layers == 0) bad_usage("--layers 0: must be 1 or more");
  if (o.command == "all" && o.output.empty()) o.output = "probe.json";
  return o;
}

}  // namespace stowage::probe
