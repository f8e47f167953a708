#include "cli/compare_requests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numeric>

#include "base/csv_table.hpp"
#include "base/ranges.hpp"
#include "reports/folder_moves.hpp"

namespace stowage::cli {
namespace {
void sort_by_id(RequestValues& r) {
  std::vector<std::size_t> order(r.ids.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return r.ids[i]; });
  order.resize(std::min(order.size(), compared_requests_max));
  const auto pick = [&](auto& values) {
    auto out = values;
    out.clear();
    for (const std::size_t i : order) out.push_back(values[i]);
    values = std::move(out);
  };
  pick(r.ids), pick(r.prompts), pick(r.outputs);
  for (auto& [name, values] : r.seconds) pick(values);
}
}  // namespace

std::map<std::string, RequestValues> read_requests(const std::filesystem::path& folder) {
  static constexpr std::array<std::pair<const char*, const char*>, 4> latencies = {
      {{"queue", "queue_ns"}, {"ttft", "ttft_ns"}, {"tpot", "tpot_ns"}, {"e2e", "e2e_ns"}}};
  std::map<std::string, RequestValues> out;
  const std::filesystem::path path = result_path(folder, "requests.csv");
  if (std::error_code ignored; !std::filesystem::exists(path, ignored)) return out;
  LineReader lines(path.string());
  CsvTable rows(lines,
                {"manager", "id", "arrival_ns", "prompt_tokens", "output_tokens", "preemptions", "queue_ns", "ttft_ns",
                 "tpot_ns", "e2e_ns"},
                "requests.csv as `stowage run -o` writes it");
  std::map<std::string, std::vector<bool>> seen;
  while (rows.next()) {
    const std::int64_t id = rows.integer("id", 0, count_max), prompt = rows.integer("prompt_tokens", 0, INT32_MAX),
                       output = rows.integer("output_tokens", 1, INT32_MAX);
    const auto arrival_s = static_cast<double>(rows.integer("arrival_ns", 0, INT64_MAX)) / 1e9;
    (void)rows.integer("preemptions", 0, count_max);
    std::array<double, latencies.size()> seconds{};
    for (std::size_t k = 0; k < latencies.size(); ++k) {
      const bool none = latencies[k].second == std::string_view("tpot_ns") && output == 1;  // no gap between tokens
      if (!none || !rows.text("tpot_ns").empty()) seconds[k] = rows.number(latencies[k].second, 0, 0x1p63) / 1e9;
    }
    if (seconds[1] < seconds[0]) rows.fail("ttft_ns", "the first token comes before the request was scheduled");
    if (seconds[3] < seconds[1]) rows.fail("e2e_ns", "the request ends before its first token");
    const double gaps = seconds[2] * static_cast<double>(output - 1), behind = seconds[3] - seconds[1];
    if (std::abs(gaps - behind) > 1e-6 * behind + 1e-8)
      rows.fail("tpot_ns", "so much for each token but the first is not the time from the first to the last");
    const std::string manager(rows.text("manager"));
    RequestValues& r = out[manager];
    ++r.rows;
    r.first_s = std::min(r.first_s, arrival_s);
    r.last_s = std::max(r.last_s, arrival_s + seconds[3]);
    // Requests end nearly in the order they came: what lies twice as far behind cannot be among the first.
    if (id >= static_cast<std::int64_t>(2 * compared_requests_max)) continue;
    std::vector<bool>& known = seen[manager];
    if (known.size() <= static_cast<std::size_t>(id)) known.resize(static_cast<std::size_t>(id) + 1);
    if (known[static_cast<std::size_t>(id)]) rows.fail("id", fmt::format("request {} is there twice", id));
    known[static_cast<std::size_t>(id)] = true;
    r.ids.push_back(id);
    r.prompts.push_back(prompt);
    r.outputs.push_back(output);
    for (std::size_t k = 0; k < latencies.size(); ++k) r.seconds[latencies[k].first].push_back(seconds[k]);
  }
  for (auto& [name, values] : out) sort_by_id(values);
  return out;
}

bool same_requests(const RequestValues& a, const RequestValues& b) {
  return a.ids == b.ids && a.prompts == b.prompts && a.outputs == b.outputs;
}

std::optional<Difference> metric_difference(const RequestValues& a, const RequestValues& b, std::string_view metric) {
  const auto slash = metric.find("_s/");
  if (slash == std::string_view::npos) return {};
  const std::string name(metric.substr(0, slash)), statistic(metric.substr(slash + 3));
  const auto left = a.seconds.find(name), right = b.seconds.find(name);
  if (left == a.seconds.end() || right == b.seconds.end()) return {};
  if (statistic != "mean" && !statistic.starts_with('p')) return {};
  const std::optional<double> q =
      statistic == "mean" ? std::nullopt : std::optional(std::strtod(statistic.c_str() + 1, nullptr) / 100);
  return difference_of(left->second, right->second, same_requests(a, b), q, 0);
}
}  // namespace stowage::cli
