#include "calibrate/probe_file.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/json_reader.hpp"
#include "base/ranges.hpp"
#include "base/read_file.hpp"
#include "calibrate/fit.hpp"

namespace stowage {
namespace {
constexpr std::string_view schema_prefix = "stowage.probe/";
constexpr std::string_view schema_known = "stowage.probe/1";

constexpr double figure_max = 1e18;  // in any unit: a time of 31,000 years in us, a rate, bytes

ProbeFigure read_figure(const JsonReader& in) {
  ProbeFigure f;
  f.name = in["name"].text();
  f.unit = in["unit"].text();
  f.n = in["n"].integer(1, count_max);
  f.median = in["median"].number(0, figure_max);
  f.p5 = in["p5"].number(0, figure_max);
  f.p95 = in["p95"].number(0, figure_max);
  f.rel_noise = in.find("rel_noise").number(0, figure_max);
  f.mean = in.find("mean").number(0, figure_max);
  if (f.mean == 0) f.mean = f.median;
  f.clock_mhz = in.find("sm_clock_mhz").number(0, 1e6);
  for (const auto& [key, value] : in["keys"].entries()) {
    if (value.is_flag())
      f.keys[key] = value.flag();
    else if (value.is_whole())
      f.keys[key] = value.integer(-count_max, count_max);
    else if (value.is_number())
      f.keys[key] = value.number(-figure_max, figure_max);
    else if (value.is_text())
      f.keys[key] = value.text();
  }
  for (const auto& [key, value] : in.find("extra").entries())
    if (value.is_number()) f.extra[key] = value.number(-figure_max, figure_max);
  if (f.p5 > f.median || f.median > f.p95)
    in.problem(fmt::format("{}: p5, median and p95 are out of order; was the file edited by hand?", f.str()));
  return f;
}

ProbePart read_part(const JsonReader& in) {
  ProbePart part;
  part.status = in["status"].text();
  part.reason = in.find("reason").text();
  std::set<std::string> seen;
  for (const JsonReader& figure : (part.status == "measured" ? in["figures"] : in.find("figures")).items()) {
    part.figures.push_back(read_figure(figure));
    if (!seen.insert(part.figures.back().str()).second)
      figure.problem(fmt::format("{} is there twice", part.figures.back().str()));
  }
  return part;
}
}  // namespace

std::int64_t ProbeFigure::integer(std::string_view key, std::int64_t fallback) const {
  const auto it = keys.find(key);
  if (it == keys.end()) return fallback;
  const auto* value = std::get_if<std::int64_t>(&it->second);
  return value == nullptr ? fallback : *value;
}
bool ProbeFigure::flag(std::string_view key) const {
  const auto it = keys.find(key);
  const auto* value = it == keys.end() ? nullptr : std::get_if<bool>(&it->second);
  return value != nullptr && *value;
}
std::string ProbeFigure::text(std::string_view key) const {
  const auto it = keys.find(key);
  const auto* value = it == keys.end() ? nullptr : std::get_if<std::string>(&it->second);
  return value == nullptr ? "" : *value;
}
std::string ProbeFigure::str() const {
  std::string out = name + " {";
  for (const auto& [key, value] : keys) {
    if (out.back() != '{') out += ", ";
    out += key + ": ";
    std::visit([&](const auto& v) { out += fmt::format("{}", v); }, value);
  }
  return out + "}";
}

std::vector<const ProbeFigure*> ProbeFile::find(std::string_view part, std::string_view name) const {
  std::vector<const ProbeFigure*> out;
  const auto it = parts.find(part);
  if (it == parts.end()) return out;
  for (const auto& figure : it->second.figures)
    if (figure.name == name) out.push_back(&figure);
  return out;
}

ProbeFile parse_probe(std::string_view text, const std::string& path) {
  const auto root = parse_json(text, path, "a probe file, as `gpu_probe all -o FILE` writes it");
  Problems problems;
  const JsonReader in(root, path, problems);
  if (!in.is_object() || !in.find("schema").is_text())
    throw InputError({path, 0, 0},
                     "not a probe file: no 'schema'; a probe file is what `gpu_probe all -o FILE` writes");
  const auto schema = in["schema"].text();
  if (schema != schema_known)
    throw InputError({path, 0, 0}, schema.starts_with(schema_prefix)
                                       ? fmt::format("{}: this version reads {}; use the gpu_probe that came with it",
                                                     shown(schema), schema_known)
                                       : fmt::format("'{}' is not a probe file ({})", shown(schema), schema_known));
  ProbeFile probe;
  probe.path = path;
  probe.version = in["version"].text();
  probe.date = in["date"].text();
  probe.model = in.find("model").text();
  probe.quick = in.find("quick").flag();
  probe.interrupted = in.find("interrupted").flag();
  probe.in_use_by_others = in.find("in_use_by_others").flag();
  const JsonReader gpu = in["device"];
  probe.gpu = gpu["name"].text();
  probe.driver = gpu.find("driver").text();
  probe.sms = gpu["sms"].integer(1, 100'000);
  probe.memory = Bytes{gpu["memory_bytes"].integer(0, bytes_max)};
  probe.clock_max_mhz = gpu.find("sm_clock_max_mhz").number(0, 1e6);
  for (const auto& [name, part] : in["parts"].entries()) probe.parts[name] = read_part(part);
  probe.canary = canary_times(in.find("canary"));
  problems.throw_if_any();
  return probe;
}

CanaryTimes canary_times(const JsonReader& points) {
  std::vector<double> read, rested, loaded;
  for (const JsonReader& point : points.items()) {
    const std::string name = point["name"].text();
    const double ns = point["median"].number(0, figure_max) * 1e3;
    if (name == "read") read.push_back(ns);
    const JsonReader keys = point.find("keys");
    if (name == "product" && keys) (keys.find("state").text() == "rested" ? rested : loaded).push_back(ns);
  }
  return {median_of(read), median_of(rested), median_of(loaded)};
}

ProbeFile load_probe(const std::string& path) { return parse_probe(read_file(path, whole_bytes_max), path); }

std::string hardware_of(const ProbeFile& probe) {
  // What cudaGetDeviceProperties calls them; memory tells the two A100 apart.
  const double gib = static_cast<double>(probe.memory.count()) / (1 << 30);
  const auto is = [&](std::string_view part) { return probe.gpu.find(part) != std::string::npos; };
  if (is("H100 80GB HBM3")) return "h100-sxm-80gb";
  if (is("H200")) return "h200";
  if (is("B200")) return "b200";
  if (is("A100") && gib < 50) return "a100-40gb";
  if (is("A100")) return "a100-80gb";
  if (is("L40S")) return "l40s";
  if (is("NVIDIA L4")) return "l4";
  if (is("RTX 4090")) return "rtx-4090";
  return "";
}
}  // namespace stowage
