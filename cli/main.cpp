// The only place that catches, prints results and errors, and decides the exit code.
#include <malloc.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <string>

#include <fmt/format.h>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"

namespace {
using namespace stowage;

/// One line, in which no name can move the terminal's cursor.
void print_error(const std::string& text) { std::fprintf(stderr, "%s\n", visible(text).c_str()); }

void print_problems(const InputError& error) {
  for (const auto& problem : error.problems()) {
    print_error((problem.at.file.empty() ? "stowage: " : "") + problem.str());
  }
}

/// A reader that closed its end early (`stowage ... | head`) has what it wanted: no error.
bool reader_is_gone() {
  pollfd out{STDOUT_FILENO, 0, 0};
  return poll(&out, 1, 0) > 0 && (out.revents & POLLERR) != 0;
}

int print_result(const cli::Outcome& outcome) {
  errno = 0;
  if (outcome.write) {
    try {
      outcome.write(std::cout);
    } catch (const EnvironmentError&) {
      if (!reader_is_gone()) throw;
      return outcome.code;
    }
  } else {
    std::cout << outcome.text;
  }
  // A result larger than the buffer fails here already; the stream does not keep the reason.
  const int early = std::cout ? 0 : errno;
  errno = 0;
  if (std::cout.flush() || reader_is_gone()) {
    for (const auto& line : outcome.complaints) print_error(line);
    return outcome.code;
  }
  throw EnvironmentError(fmt::format("the result cannot be written: {}", std::strerror(early != 0 ? early : errno)));
}

/// Errors without a place of their own are signed by the program.
std::string signed_text(const std::exception& error) {
  const std::string text = error.what();
  return text.find(": error: ") == std::string::npos ? "stowage: error: " + text : text;
}

cli::Outcome dispatch(const cli::Options& options) {
  using Command = cli::Outcome (*)(const cli::Options&);
  static const std::map<std::string, Command, std::less<>> commands = {
      {"run", cli::run_scenario},           {"report", cli::make_report},
      {"check", cli::check_files},
      {"fit", cli::fit_command},
      {"trace info", cli::trace_info_command}, {"trace convert", cli::trace_convert},
      {"trace synth", cli::trace_synth},    {"model show", cli::model_show},
      {"model list", cli::model_list},      {"hardware show", cli::hardware_show},
      {"calibrate", cli::calibrate_command}, {"validate", cli::validate_command},
      {"hardware list", cli::hardware_list}, {"completion", cli::completion},
      {"plan", cli::plan_command},           {"sweep", cli::sweep_command},
      {"compare", cli::compare_command},     {"schema", cli::schema_command},
  };
  if (options.command.empty()) return {.text = options.message};
  const auto command = commands.find(options.command);
  STOWAGE_ASSERT(command != commands.end());
  return command->second(options);
}
}  // namespace

int main(int argc, char** argv) {
  cli::take_signals();
  // A plan or a sweep is many short runs: what one gives back the next takes, without asking the kernel for pages.
  mallopt(M_MMAP_THRESHOLD, 1 << 25);
  mallopt(M_TRIM_THRESHOLD, 1 << 28);
  try {
    const cli::Outcome outcome = dispatch(cli::parse_command_line(argc, argv));
    cli::when_interrupted_say("interrupted while it printed the result");
    return print_result(outcome);
  } catch (const InputError& error) {
    print_problems(error);
    return cli::bad_input;
  } catch (const InfeasibleError& error) {
    print_error(signed_text(error));
    return cli::infeasible;
  } catch (const EnvironmentError& error) {
    print_error(signed_text(error));
    return cli::failed;
  } catch (const std::filesystem::filesystem_error& error) {
    print_error(fmt::format("stowage: error: '{}': {}", error.path1().string(), error.code().message()));
    return cli::failed;
  } catch (const std::bad_alloc&) {
    print_error("stowage: error: out of memory");
    return cli::failed;
  } catch (const std::exception& error) {
    print_error(std::string("stowage: internal error: ") + error.what() + "; please report this as a bug");
    return cli::failed;
  }
}
