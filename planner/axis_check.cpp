#include "planner/axis_check.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "scenario/scenario.hpp"

namespace stowage {
namespace {
constexpr std::uint64_t good_tries_max = 1000;
constexpr std::uint64_t tries_max = 10'000;
constexpr int wrong_max = 10;  // values; what is wrong with more of them is seldom news

bool holds(const std::vector<Problem>& problems, const Problem& one) {
  return std::any_of(problems.begin(), problems.end(), [&](const Problem& p) { return p.str() == one.str(); });
}

/// The numbers below `size`, each once, near ones far apart: the first few are a fair sample.
class Scattered {
 public:
  explicit Scattered(std::uint64_t size) : size_(size) {
    step_ = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(0.618 * static_cast<double>(size)));
    while (std::gcd(step_, size) != 1) ++step_;
  }
  /// k * step stays below 2^64: a space has 10^8 points at most.
  [[nodiscard]] std::uint64_t operator[](std::uint64_t k) const { return k * step_ % size_; }

 private:
  std::uint64_t size_, step_ = 1;
};

class AxisCheck {
 public:
  AxisCheck(const ConfigDocument& base, const Space& space, ScenarioCache& cache)
      : base_(base), space_(space), cache_(cache), strides_(space.axes().size(), 1) {
    for (std::size_t i = strides_.size(); i-- > 1;) strides_[i - 1] = strides_[i] * values(i);
  }

  std::uint64_t run() {
    const std::uint64_t good = good_point();
    for (std::size_t axis = 0; axis < strides_.size(); ++axis)
      for (std::size_t v = 0; v < values(axis) && wrong_ < wrong_max; ++v) check(moved(good, axis, v), axis);
    if (strides_.empty()) note(read(0).refused);
    for (std::size_t axis = 0; axis < strides_.size() && wrong_ < wrong_max; ++axis) check_own(good, axis);
    problems_.throw_if_any();
    return read_;
  }

 private:
  struct Verdict {
    std::vector<Problem> refused;  // empty: it can be simulated, or does not fit
    bool fits = false;
  };

  [[nodiscard]] std::uint64_t values(std::size_t axis) const { return space_.axes()[axis].values.size(); }
  [[nodiscard]] std::uint64_t value_at(std::uint64_t point, std::size_t axis) const {
    return point / strides_[axis] % values(axis);
  }
  /// The point with another value of one axis.
  [[nodiscard]] std::uint64_t moved(std::uint64_t point, std::size_t axis, std::uint64_t value) const {
    return point - value_at(point, axis) * strides_[axis] + value * strides_[axis];
  }

  [[nodiscard]] std::string_view path(std::size_t axis) const { return space_.axes()[axis].path; }

  /// The point; while own_ is looked at without the axes that touch it.
  [[nodiscard]] ConfigDocument document(std::uint64_t point) const {
    if (!own_) return space_.document(base_, point);
    ConfigDocument out = base_;
    const auto values = space_.at(point);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (i != own_ && !within(path(i), path(*own_)) && !within(path(*own_), path(i)))
        out.put(path(i), values[i]->node, space_.axes()[i].at);
    return out;
  }

  Verdict read(std::uint64_t point) {
    ++read_;
    try {
      check_scenario(document(point), cache_);
      return {{}, true};
    } catch (const InfeasibleError&) { return {}; } catch (const InputError& error) {
      return {error.problems()};
    }
  }

  void note(const std::vector<Problem>& refused) {
    for (const Problem& p : refused) problems_.add(p.at, p.message);
  }

  /// The points that differ from this one in one axis, not the given one.
  [[nodiscard]] std::vector<std::uint64_t> neighbours(std::uint64_t point, std::optional<std::size_t> but) const {
    std::vector<std::uint64_t> out;
    for (std::size_t axis = 0; axis < strides_.size(); ++axis)
      for (std::uint64_t v = 0; axis != but && v < values(axis); ++v)
        if (v != value_at(point, axis)) out.push_back(moved(point, axis, v));
    return out;
  }

  /// A point that can be read, one that fits where possible: whatever is refused one step away is the step's fault. The
  /// first point when there is none.
  std::uint64_t good_point() {
    std::vector<std::uint64_t> points = neighbours(0, {});
    points.insert(points.begin(), 0);
    const Scattered all(space_.size());
    for (std::uint64_t k = 0; k < std::min(space_.size(), good_tries_max); ++k) points.push_back(all[k]);
    std::optional<std::uint64_t> readable;
    for (const std::uint64_t point : points) {
      const Verdict verdict = read(point);
      if (verdict.fits) return point;
      if (verdict.refused.empty() && !readable) readable = point;
    }
    return readable.value_or(0);
  }

  /// Is the value of `axis` wrong at this point wherever the others go?
  void check(std::uint64_t point, std::size_t axis) {
    std::vector<Problem> here = read(point).refused;
    std::erase_if(here, [&](const Problem& p) { return holds(problems_.list(), p); });
    if (here.empty()) return;
    std::vector<Problem> everywhere = here;
    for (const std::uint64_t next : neighbours(point, axis)) {
      if (everywhere.empty() && ++tries_ > tries_max) return;
      const std::vector<Problem> there = read(next).refused;
      if (there.empty()) return;
      std::erase_if(everywhere, [&](const Problem& p) { return !holds(there, p); });
    }
    if (everywhere.empty() && may_be_read(value_at(point, axis), axis)) return;
    note(here);
    ++wrong_;
  }

  /// The same of what the scenario itself has where the axis stands: no point has it, but `run` reads it.
  void check_own(std::uint64_t point, std::size_t axis) {
    ConfigNode given;
    try {
      given = base_.find(path(axis));
    } catch (const InputError&) {
      return;  // no path, which each of its values was refused for
    }
    if (!given) return;
    own_ = axis;
    check(point, axis);
    own_.reset();
  }

  /// Can some point with this value be read? Yes in doubt.
  bool may_be_read(std::uint64_t value, std::size_t axis) {
    const std::uint64_t size = space_.size() / values(axis), stride = strides_[axis];
    const Scattered others(size);
    for (std::uint64_t k = 0; k < size; ++k) {
      if (++tries_ > tries_max) return true;
      const std::uint64_t rest = others[k];
      if (read(rest / stride * stride * values(axis) + value * stride + rest % stride).refused.empty()) return true;
    }
    return false;
  }

  const ConfigDocument& base_;
  const Space& space_;
  ScenarioCache& cache_;
  std::optional<std::size_t> own_;      // the axis whose place in the scenario is looked at instead of its values
  std::vector<std::uint64_t> strides_;  // how far apart two values of an axis are in the numbers of the points
  Problems problems_;
  std::uint64_t read_ = 0, tries_ = 0;
  int wrong_ = 0;
};
}  // namespace

std::uint64_t check_axes(const ConfigDocument& base, const Space& space, ScenarioCache& cache) {
  return AxisCheck(base, space, cache).run();
}
}  // namespace stowage
