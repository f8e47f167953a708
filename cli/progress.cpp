#include "cli/progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "reports/text.hpp"

namespace stowage::cli {

Progress::Progress(std::vector<std::string> names, bool quiet)
    : enabled_(!quiet && isatty(STDERR_FILENO) != 0), last_(std::chrono::steady_clock::now()) {
  for (auto& name : names) runs_.push_back({std::move(name)});
}

Progress::~Progress() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

void Progress::update(std::size_t run, std::int64_t simulated_ns, std::uint64_t completed) {
  if (!enabled_) return;
  const std::scoped_lock lock(mutex_);
  runs_[run].simulated_ns = simulated_ns;
  runs_[run].completed = completed;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  shown_ = true;
  draw();
}

void Progress::draw() const {
  std::string line;
  for (const auto& run : runs_) {
    if (!line.empty()) line += " | ";
    line += text::printable(run.name) + " " + text::count(run.completed) + " done, at " +
            text::duration(static_cast<double>(run.simulated_ns));
  }
  // One column short of the usual narrowest terminal would wrap and leave rests behind: cut instead.
  std::fprintf(stderr, "\r%s\033[K", text::fit(line, 119).c_str());
}

PointProgress::PointProgress(std::uint64_t points, bool quiet)
    : points_(points),
      enabled_(!quiet && isatty(STDERR_FILENO) != 0),
      last_(std::chrono::steady_clock::now()) {}

PointProgress::~PointProgress() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

void PointProgress::one_done() {
  if (!enabled_) return;
  const std::scoped_lock lock(mutex_);
  ++done_;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  shown_ = true;
  std::fprintf(stderr, "\r%s of %s\033[K", text::count(done_).c_str(), text::plural(points_, "point").c_str());
}
}  // namespace stowage::cli
