// A validation as text and as JSON.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "calibrate/validate.hpp"

namespace stowage {
namespace {
using Json = nlohmann::ordered_json;

/// A figure of `count` values; of none there is none.
Json figure(std::uint64_t count, double x) { return count > 0 ? Json(x) : Json(nullptr); }

Json error_json(const IterationError& e) {
  Json out = {{"count", e.count},
              {"mape", figure(e.count, e.mape)},
              {"bias", figure(e.count, e.bias)},
              {"p95", figure(e.count, e.p95)},
              {"measured_s", e.measured_s},
              {"predicted_s", e.predicted_s}};
  if (e.coverage_90) out["coverage_90"] = *e.coverage_90;
  return out;
}

Json named(const std::vector<IterationError>& rows) {
  Json out = Json::object();
  for (const IterationError& e : rows) out[e.name] = error_json(e);
  return out;
}

Json manager_json(const ManagerValidation& m, bool offline) {
  Json out = {{"name", m.name}, {"state", m.state}, {"passes", m.passes}};
  if (!m.incomplete.empty()) out["incomplete"] = m.incomplete;
  out["iterations"] = error_json(m.all);
  out["regimes"] = named(m.regimes);
  if (!m.anchored.empty()) out["anchored_regimes"] = named(m.anchored);
  out["bins"] = named(m.bins);
  if (m.cold) out["cold"] = error_json(*m.cold);
  if (m.floor)
    out["repeat_floor"] = {
        {"mape", m.floor->mape}, {"bias", m.floor->bias}, {"p95", m.floor->p95}, {"makespan", m.floor->makespan}};
  out["counters_equal"] = m.counters_equal();
  out["first_difference"] = m.first_difference ? Json(*m.first_difference) : Json(nullptr);
  Json numbers = Json::object();
  for (const Compared& c : m.numbers) {
    numbers[c.name] = {{"measured", c.measured}, {"predicted", c.predicted}, {"error", c.error()}};
    if (c.exact && offline) numbers[c.name]["equal"] = c.equal();
  }
  out["numbers"] = std::move(numbers);
  const auto latencies = [](const std::vector<PairedLatency>& list, const char* other) {
    Json rows = Json::object();
    for (const PairedLatency& l : list) {
      const auto of = [&](double x) { return figure(l.count, x); };
      rows[l.name + "_s"] = {{"count", l.count},
                             {"measured", {{"mean", of(l.measured_mean_s)}, {"p95", of(l.measured_p95_s)}}},
                             {other, {{"mean", of(l.predicted_mean_s)}, {"p95", of(l.predicted_p95_s)}}},
                             {"paired", {{"mape", of(l.paired_mape)}, {"p95", of(l.paired_p95)}}}};
    }
    return rows;
  };
  out["latencies"] = latencies(m.latencies, "predicted");
  if (!m.latency_floor.empty()) out["latency_floor"] = latencies(m.latency_floor, "again");
  return out;
}

std::string percent(double share) { return fmt::format("{:.2f} %", 100 * share); }
std::string signed_percent(double share) { return fmt::format("{:+.2f} %", 100 * share); }

std::string error_line(const IterationError& e, std::string_view indent) {
  return fmt::format("{}{:<28} {:>6}  MAPE {:>8}  bias {:>8}  p95 {:>8}  {:>8.3f} s measured, {:>8.3f} s predicted{}\n",
                     indent, e.name, e.count, percent(e.mape), signed_percent(e.bias), percent(e.p95), e.measured_s,
                     e.predicted_s,
                     e.coverage_90 ? fmt::format("  90 % interval holds {:.0f} %", 100 * *e.coverage_90) : "");
}

std::string number(double x) {
  return x == std::floor(x) && std::abs(x) < 1e15 ? fmt::format("{:.0f}", x) : fmt::format("{:.5g}", x);
}

std::string manager_text(const ManagerValidation& m, bool offline) {
  std::string out = visible(fmt::format("{} ({} {} pass{})", m.name, m.passes, m.state.empty() ? "no" : m.state,
                                        m.passes == 1 ? "" : "es")) +
                    "\n";
  if (!m.incomplete.empty()) out += fmt::format("  not whole: {}\n", visible(m.incomplete));
  if (m.passes == 0) return out;
  if (m.all.count > 0) out += error_line(m.all, "  ");
  for (const IterationError& e : m.regimes) out += error_line(e, "    ");
  for (const IterationError& e : m.anchored) {
    IterationError named = e;
    named.name += ", re-anchored";
    out += error_line(named, "    ");
  }
  if (m.cold) out += error_line(*m.cold, "  ");
  if (m.floor)
    out +=
        fmt::format("  repeat to repeat: iterations {} apart, bias {}, p95 {}; makespan {}\n", percent(m.floor->mape),
                    signed_percent(m.floor->bias), percent(m.floor->p95), signed_percent(m.floor->makespan));
  for (const Compared& c : m.numbers) {
    if (c.exact) continue;
    if (c.measured == 0 && c.predicted == 0) continue;
    out += fmt::format("  {:<32} {:>14} measured {:>14} predicted  {}\n", c.name, number(c.measured),
                       number(c.predicted), signed_percent(c.error()));
  }
  std::size_t exact = 0, equal = 0;
  for (const Compared& c : m.numbers) {
    if (!c.exact) continue;
    ++exact;
    if (c.equal())
      ++equal;
    else if (offline)
      out += fmt::format("  DIFFERS {:<24} {:>14} measured {:>14} predicted\n", c.name, number(c.measured),
                         number(c.predicted));
  }
  if (exact > 0)
    out += fmt::format("  counters: {} of {} equal{}\n", equal, exact,
                       offline ? "" : " (arrivals in real time: schedules follow the clock)");
  if (offline)
    out += m.first_difference ? fmt::format("  schedule and memory DIFFER from iteration {} on\n", *m.first_difference)
                              : "  schedule and memory: equal in every iteration\n";
  const auto change = [](double from, double to) { return signed_percent(from > 0 ? to / from - 1 : 0); };
  for (const PairedLatency& l : m.latency_floor)
    out += fmt::format("  {:<6} repeat to repeat: mean {}, p95 {}; each request {} apart, p95 {}\n", l.name,
                       change(l.measured_mean_s, l.predicted_mean_s), change(l.measured_p95_s, l.predicted_p95_s),
                       percent(l.paired_mape), percent(l.paired_p95));
  for (const PairedLatency& l : m.latencies)
    out += fmt::format(
        "  {:<6} mean {:>9.4f} s measured {:>9.4f} predicted ({}), p95 {:>9.4f} and {:>9.4f} ({}); each "
        "request {} apart, p95 {}\n",
        l.name, l.measured_mean_s, l.predicted_mean_s, change(l.measured_mean_s, l.predicted_mean_s), l.measured_p95_s,
        l.predicted_p95_s, change(l.measured_p95_s, l.predicted_p95_s), percent(l.paired_mape), percent(l.paired_p95));
  return out;
}
}  // namespace

std::string validation_text(const Validation& v) {
  std::string out = fmt::format("{}\nmeasured on {}, driver {}, {}\npredicted by {}\n", visible(v.scenario_name),
                                visible(v.gpu), visible(v.driver), visible(v.date), visible(v.cost));
  for (const std::string& note : v.notes) out += "note: " + visible(note) + "\n";
  if (v.machine)
    out += fmt::format("this machine's canary over the profile's: reads {}, products under load {}\n",
                       signed_percent(v.machine->first - 1), signed_percent(v.machine->second - 1));
  if (v.all.count > 0) out += error_line(v.all, "");
  out += fmt::format("makespan {}, output tokens/s {} (the worst manager's); counters {}\n",
                     signed_percent(v.makespan_error), signed_percent(v.throughput_error),
                     v.counters_equal ? "equal"
                     : v.offline      ? "NOT EQUAL"
                                      : "not comparable (real time)");
  for (const ManagerValidation& m : v.managers) out += "\n" + manager_text(m, v.offline);
  return out;
}

std::string validation_json(const Validation& v) {
  Json out = {{"schema", "stowage.validation/1"},
              {"measured", v.measured_path},
              {"scenario", v.scenario_name},
              {"gpu", v.gpu},
              {"driver", v.driver},
              {"date", v.date},
              {"cost", v.cost},
              {"offline", v.offline},
              {"iterations",
               {{"count", v.all.count},
                {"mape", figure(v.all.count, v.all.mape)},
                {"bias", figure(v.all.count, v.all.bias)},
                {"p95", figure(v.all.count, v.all.p95)}}},
              {"makespan_error", v.makespan_error},
              {"throughput_error", v.throughput_error},
              {"counters_equal", v.counters_equal},
              {"coverage_90", v.all.coverage_90 ? Json(*v.all.coverage_90) : Json(nullptr)},
              {"notes", v.notes}};
  Json rows = Json::array();
  for (const ManagerValidation& m : v.managers) rows.push_back(manager_json(m, v.offline));
  out["managers"] = std::move(rows);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}
}  // namespace stowage
