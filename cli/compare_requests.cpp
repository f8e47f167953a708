#include "cli/compare_requests.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <numeric>

#include "reports/folder_moves.hpp"

namespace stowage::cli {
namespace {
/// Fields of one line; quoted ones hold commas, and a doubled quote is one.
void split(const std::string& line, std::vector<std::string>& out) {
  out.assign(1, "");
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"') {
      if (quoted && i + 1 < line.size() && line[i + 1] == '"')
        out.back() += line[i++];
      else
        quoted = !quoted;
    } else if (c == ',' && !quoted) {
      out.emplace_back();
    } else if (c != '\r') {
      out.back() += c;
    }
  }
}

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
  std::ifstream in(result_path(folder, "requests.csv"), std::ios::binary);
  std::string line;
  std::vector<std::string> fields;
  if (!in || !std::getline(in, line)) return out;
  split(line, fields);
  const auto column = [&, head = fields](std::string_view name) {
    return static_cast<std::size_t>(std::ranges::find(head, name) - head.begin());
  };
  const std::size_t columns = fields.size(), id = column("id"), prompt = column("prompt_tokens"),
                    output = column("output_tokens");
  std::array<std::size_t, latencies.size()> at{};
  for (std::size_t k = 0; k < at.size(); ++k) at[k] = column(latencies[k].second);
  if (std::max({id, prompt, output, *std::ranges::max_element(at)}) >= columns) return out;
  // Requests end nearly in the order they came: what lies twice as far behind cannot be among the first.
  while (std::getline(in, line)) {
    split(line, fields);
    if (fields.size() != columns) continue;  // a line cut off
    const std::int64_t number = std::strtoll(fields[id].c_str(), nullptr, 10);
    if (number >= static_cast<std::int64_t>(2 * compared_requests_max)) continue;
    RequestValues& r = out[fields[0]];
    r.ids.push_back(number);
    r.prompts.push_back(std::strtoll(fields[prompt].c_str(), nullptr, 10));
    r.outputs.push_back(std::strtoll(fields[output].c_str(), nullptr, 10));
    for (std::size_t k = 0; k < at.size(); ++k)
      r.seconds[latencies[k].first].push_back(std::strtod(fields[at[k]].c_str(), nullptr) / 1e9);
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
