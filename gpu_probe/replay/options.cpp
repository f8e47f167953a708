#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <sstream>

#include "base/error.hpp"
#include "gpu_probe/replay/setup.hpp"

namespace stowage::replay {
namespace {
namespace po = boost::program_options;

[[noreturn]] void bad_usage(const std::string& what) {
  throw InputError(SourcePos{}, what + "; see gpu_probe replay --help");
}

po::options_description describe(ReplayOptions& o, std::uint64_t& seed, bool& no_cold) {
  po::options_description d("Options");
  d.add_options()("help,h", "print this and exit")("output,o", po::value(&o.output)->value_name("DIR"),
                                                   "write measured.json and the CSV files there")(
      "manager", po::value(&o.managers)->value_name("NAME")->composing(),
      "only this manager of the scenario, by name or kind (repeatable)")(
      "layers", po::value(&o.layers)->value_name("N"), "run the model with N of its layers")(
      "repeat", po::value(&o.repeat)->value_name("K")->default_value(o.repeat), "warm passes under each manager")(
      "no-cold", po::bool_switch(&no_cold), "warm up by small runs instead of by a first, cold pass")(
      "paged-loader", po::value(&o.paged_loader)->value_name("NAME")->default_value(o.paged_loader),
      "how paged prefill reads K and V: gather or tensor")("set", po::value(&o.sets)->value_name("A.B=V")->composing(),
                                                           "change a value of the scenario (repeatable)")(
      "seed", po::value(&seed)->value_name("N"), "seed of the scenario")(
      "device", po::value(&o.device)->value_name("N")->default_value(o.device), "GPU, as CUDA counts them")(
      "shared", po::bool_switch(&o.shared), "measure although others use the GPU; the file says so");
  return d;
}
}  // namespace

ReplayOptions parse_replay_options(int argc, const char* const* argv, std::string& text) {
  ReplayOptions o;
  std::uint64_t seed = 0;
  bool no_cold = false;
  po::options_description visible = describe(o, seed, no_cold), all;
  all.add(visible);
  std::vector<std::string> inputs;
  all.add_options()("scenario", po::value(&inputs));
  po::positional_options_description positional;
  positional.add("scenario", -1);
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
    help
        << "Usage: gpu_probe replay SCENARIO [options]\n"
           "Runs the scenario for real: a transformer of the model's shapes with random weights, requests scheduled\n"
           "and memory managed by the simulator's own code, on real memory, timed. Requests arrive in real time.\n\n"
        << visible
        << "\nEach manager runs once cold (nothing loaded or captured), then K times warm. `stowage validate` "
           "compares\n"
           "the result with the prediction.\n"
           "Exit codes: 0 measured, 1 no usable GPU or a failure, 2 bad usage or scenario, 4 it does not fit the GPU,\n"
           "130/143 interrupted (what was measured is kept and marked).\n";
    text = help.str();
    return o;
  }
  if (inputs.size() != 1) bad_usage(inputs.empty() ? "which scenario?" : "one scenario at a time");
  o.scenario = inputs.front();
  if (values.count("seed") != 0) o.seed = seed;
  o.cold = !no_cold;
  if (values.count("layers") != 0 && o.layers < 1) bad_usage(fmt::format("--layers {}: must be 1 or more", o.layers));
  if (o.repeat < 0 || o.repeat > 100) bad_usage(fmt::format("--repeat {}: must be 0 to 100", o.repeat));
  if (o.repeat == 0 && !o.cold) bad_usage("--repeat 0 --no-cold leaves nothing to run");
  if (o.device < 0) bad_usage(fmt::format("--device {}: must be 0 or more", o.device));
  if (o.paged_loader != "gather" && o.paged_loader != "tensor")
    bad_usage(fmt::format("--paged-loader {}: gather or tensor", o.paged_loader));
  return o;
}

}  // namespace stowage::replay
