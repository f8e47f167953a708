#include "planner/sweep_summary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

namespace stowage {
namespace {
using Json = nlohmann::ordered_json;
constexpr std::size_t table_max = 200, cloud_max = 400, failures_max = 20, managers_max = 12, maps_max = 12;
constexpr std::array<std::string_view, 5> metrics = {"requests_per_s", "output_tokens_per_s", "ttft_p99_s", "tbt_p99_s",
                                                     "kv_lost"};
constexpr std::size_t served = 0, ttft = 2, lost = 4;
using Values = std::array<double, metrics.size()>;

struct Row {
  std::uint64_t point = 0;
  std::size_t manager = 0;
  Values values{};
};

Json number(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }
double real(const Json& j) { return j.is_number() ? j.get<double>() : NAN; }

/// "2/s" and "20/s" are 2 and 20 of "/s"; sizes become bytes; nothing for names and mixtures.
std::optional<std::pair<std::vector<double>, std::string>> numbers_of(const Axis& axis) {
  static constexpr std::array<std::pair<std::string_view, double>, 4> sizes = {
      {{"KiB", 1024.0}, {"MiB", 1024.0 * 1024}, {"GiB", 1024.0 * 1024 * 1024}, {"TiB", 1024.0 * 1024 * 1024 * 1024}}};
  std::vector<double> out;
  std::string unit;
  for (const AxisValue& v : axis.values) {
    char* end = nullptr;
    double x = std::strtod(v.text.c_str(), &end);
    if (end == v.text.c_str() || !std::isfinite(x)) return {};
    std::string own = end;
    const auto size = std::ranges::find(sizes, own, &std::pair<std::string_view, double>::first);
    if (size != sizes.end()) x *= size->second, own = "B";
    if (own.size() > 4 || (!out.empty() && own != unit)) return {};
    unit = own;
    out.push_back(x);
  }
  return std::pair{std::move(out), std::move(unit)};
}

/// Which value of each axis a point has: row-major, the last axis fastest.
std::vector<std::size_t> place(const Space& space, std::uint64_t point) {
  std::vector<std::size_t> out(space.axes().size());
  for (std::size_t a = out.size(); a-- > 0; point /= space.axes()[a].values.size())
    out[a] = point % space.axes()[a].values.size();
  return out;
}

double median(std::vector<double> v) {
  std::erase_if(v, [](double x) { return std::isnan(x); });
  if (v.empty()) return NAN;
  const auto middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
  std::nth_element(v.begin(), middle, v.end());
  const double high = *middle;
  return v.size() % 2 == 1 ? high : (high + *std::max_element(v.begin(), middle)) / 2;
}

class SweepTable {
 public:
  SweepTable(const Sweep& sweep, const std::vector<std::string>& records) : sweep_(sweep), space_(sweep.space()) {
    const auto columns = sweep.columns();
    const auto first = static_cast<std::ptrdiff_t>(1 + space_.axes().size());
    const auto column = [&](std::string_view name) {
      return static_cast<std::size_t>(std::find(columns.begin() + first, columns.end(), name) - columns.begin() -
                                      first);
    };
    const std::array<std::size_t, 3> losses = {column("kv_reserved"), column("kv_internal"), column("kv_external")};
    const std::size_t note = column("note"), slo = column("slo_met");
    for (std::uint64_t point = 0; point < records.size(); ++point) {
      const Json record = Json::parse(records[point]);
      for (const Json& row : record.at("rows")) {
        ++status_[row.at(1).get<std::string>()];
        if (row.at(slo).is_boolean()) ++judged_, met_ += row.at(slo).get<bool>() ? 1 : 0;
        if (table_.size() < table_max) table_.push_back(table_row(point, row));
        if (row.at(1) != "ok") {
          if (failures_.size() < failures_max)
            failures_.push_back({{"point", point},
                                 {"set", space_.sets(point)},
                                 {"manager", row.at(0)},
                                 {"status", row.at(1)},
                                 {"note", row.at(note)}});
          continue;
        }
        const std::string name = row.at(0);
        auto at = std::ranges::find(names_, name);
        if (at == names_.end()) at = names_.insert(at, name);
        Row out{point, static_cast<std::size_t>(at - names_.begin()), {}};
        for (std::size_t m = 0; m < lost; ++m) out.values[m] = real(row.at(column(metrics[m])));
        for (const std::size_t c : losses) out.values[lost] += real(row.at(c));
        rows_.push_back(out);
        const Json &rejected = row.at(column("rejected")), &submitted = row.at(column("submitted"));
        if (rejected > 0) ++short_;
        if (rejected > most_rejected_) most_rejected_ = rejected, of_ = submitted;
      }
    }
    for (std::size_t a = 0; a < space_.axes().size(); ++a)
      if (space_.axes()[a].values.size() > 1) varied_.push_back(a);
    std::ranges::stable_sort(varied_, std::greater<>{}, [&](std::size_t a) { return space_.axes()[a].values.size(); });
  }

  Json json(const std::map<std::string, std::string>& deployable) const {
    Json axes = Json::array(), ships = Json::object();
    for (const Axis& axis : space_.axes()) {
      Json values = Json::array();
      for (const AxisValue& v : axis.values) values.push_back(v.text);
      Json out = {{"path", axis.path}, {"values", std::move(values)}};
      if (const auto numbers = numbers_of(axis)) out["numbers"] = numbers->first, out["unit"] = numbers->second;
      axes.push_back(std::move(out));
    }
    for (const auto& name : names_)
      if (const auto at = deployable.find(name); at != deployable.end()) ships[name] = at->second;
    Json columns = Json::array();
    for (const auto& c : sweep_.columns()) columns.push_back(c);
    return {{"schema", "stowage.sweep-summary/1"},
            {"sweep", sweep_.digest()},
            {"points", space_.size()},
            {"status", status_},
            {"slo", {{"judged", judged_}, {"met", met_}}},
            {"unserved", {{"runs", short_}, {"most", most_rejected_}, {"of", of_}}},
            {"axes", std::move(axes)},
            {"managers", names_},
            {"deployable", std::move(ships)},
            {"effects", effects()},
            {"maps", maps()},
            {"cloud", cloud()},
            {"failures", failures_},
            {"columns", std::move(columns)},
            {"table", table_}};
  }

 private:
  Json table_row(std::uint64_t point, const Json& row) const {
    Json out = Json::array({point});
    for (const AxisValue* v : space_.at(point)) out.push_back(v->text);
    for (const Json& cell : row) out.push_back(cell);
    return out;
  }

  Json effects() const {
    Json out = Json::array();
    for (const std::size_t a : varied_) {
      const std::size_t n = space_.axes()[a].values.size();
      for (std::size_t m = 0; m < metrics.size(); ++m) {
        Json managers = Json::array();
        for (std::size_t who = 0; who < std::min(names_.size(), managers_max); ++who) {
          std::vector<std::vector<double>> by(n);
          for (const Row& r : rows_)
            if (r.manager == who && !std::isnan(r.values[m])) by[place(space_, r.point)[a]].push_back(r.values[m]);
          Json middle = Json::array(), low = Json::array(), high = Json::array();
          for (const auto& v : by) {
            middle.push_back(number(median(v)));
            low.push_back(number(v.empty() ? NAN : *std::ranges::min_element(v)));
            high.push_back(number(v.empty() ? NAN : *std::ranges::max_element(v)));
          }
          managers.push_back({{"name", names_[who]}, {"median", middle}, {"least", low}, {"greatest", high}});
        }
        out.push_back({{"axis", a}, {"metric", metrics[m]}, {"managers", std::move(managers)}});
      }
    }
    return out;
  }

  Json maps() const {
    Json out = Json::array();
    if (varied_.size() < 2) return out;
    const std::size_t x = varied_[0], y = varied_[1];
    const std::size_t width = space_.axes()[x].values.size(), height = space_.axes()[y].values.size();
    for (const std::size_t m : {served, ttft}) {
      for (std::size_t who = 0; who < names_.size() && out.size() < maps_max; ++who) {
        std::vector<std::vector<double>> cells(width * height);
        for (const Row& r : rows_) {
          if (r.manager != who) continue;
          const auto at = place(space_, r.point);
          cells[at[y] * width + at[x]].push_back(r.values[m]);
        }
        Json values = Json::array();
        for (auto& cell : cells) values.push_back(number(median(std::move(cell))));
        out.push_back({{"x", x}, {"y", y}, {"metric", metrics[m]}, {"manager", names_[who]}, {"values", values}});
      }
    }
    return out;
  }

  Json cloud() const {
    // By rising latency, more served first: on the front are those that serve more than all before.
    std::vector<std::size_t> order(rows_.size()), front, rest;
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::sort(order, {},
                      [&](std::size_t i) { return std::tuple(rows_[i].values[ttft], -rows_[i].values[served], i); });
    double most = -1;
    for (const std::size_t i : order) {
      (rows_[i].values[served] > most ? front : rest).push_back(i);
      most = std::max(most, rows_[i].values[served]);
    }
    Json out = Json::array();
    const auto add = [&](const std::vector<std::size_t>& from, std::size_t at_most, bool on_front) {
      const std::size_t n = std::min(from.size(), at_most);
      for (std::size_t k = 0; k < n; ++k) {
        const Row& r = rows_[from[n == 1 ? 0 : k * (from.size() - 1) / (n - 1)]];
        out.push_back({{"point", r.point},
                       {"manager", names_[r.manager]},
                       {"requests_per_s", r.values[served]},
                       {"ttft_p99_s", r.values[ttft]},
                       {"front", on_front},
                       {"set", space_.sets(r.point)}});
      }
    };
    add(front, cloud_max / 4, true);
    add(rest, cloud_max - std::min(front.size(), cloud_max / 4), false);
    return out;
  }

  const Sweep& sweep_;
  const Space& space_;
  std::vector<std::string> names_;   // of managers, in the order met
  std::vector<std::size_t> varied_;  // axes of more than one value, those with most values first
  std::vector<Row> rows_;
  std::map<std::string, std::uint64_t> status_;
  std::uint64_t judged_ = 0, met_ = 0;                     // rows that were asked for an SLO, and that meet it
  std::uint64_t short_ = 0, most_rejected_ = 0, of_ = 0;  // runs that served some but not all; of the worst its counts
  Json table_ = Json::array(), failures_ = Json::array();
};
}  // namespace

std::string sweep_summary(const Sweep& sweep, const std::vector<std::string>& records,
                          const std::map<std::string, std::string>& deployable) {
  return SweepTable(sweep, records).json(deployable).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}
}  // namespace stowage
