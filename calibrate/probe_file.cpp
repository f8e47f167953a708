#include "calibrate/probe_file.hpp"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "base/config.hpp"
#include "base/error.hpp"
#include "calibrate/fit.hpp"

namespace stowage {
namespace {
using nlohmann::json;
constexpr std::string_view schema_prefix = "stowage.probe/";
constexpr std::string_view schema_known = "stowage.probe/1";

SourcePos place_of(std::string_view text, std::size_t byte, const std::string& path) {
  SourcePos at{path, 1, 1};
  for (std::size_t i = 0; i + 1 < byte && i < text.size(); ++i) {
    at.column = text[i] == '\n' ? 1 : at.column + 1;
    at.line += text[i] == '\n' ? 1 : 0;
  }
  return at;
}

/// Values of one JSON object, problems collected; `where` is what the object is, for messages.
class ObjectReader {
 public:
  ObjectReader(const json& object, std::string where, const std::string& path, Problems& problems)
      : object_(object), where_(std::move(where)), path_(path), problems_(problems) {}

  std::string text(const char* key, bool required = true) {
    const json* value = find(key, required);
    if (value == nullptr) return "";
    if (value->is_string()) return value->get<std::string>();
    wrong(key, "a text");
    return "";
  }
  double number(const char* key, bool required = true) {
    const json* value = find(key, required);
    if (value == nullptr) return 0;
    if (value->is_number() && std::isfinite(value->get<double>())) return value->get<double>();
    wrong(key, "a finite number");
    return 0;
  }
  bool flag(const char* key) {
    const json* value = find(key, false);
    if (value == nullptr) return false;
    if (value->is_boolean()) return value->get<bool>();
    wrong(key, "true or false");
    return false;
  }
  const json* object(const char* key, bool required = true) {
    const json* value = find(key, required);
    if (value == nullptr || value->is_object()) return value;
    wrong(key, "an object {…}");
    return nullptr;
  }
  const json* list(const char* key, bool required = true) {
    const json* value = find(key, required);
    if (value == nullptr || value->is_array()) return value;
    wrong(key, "a list […]");
    return nullptr;
  }
  void problem(const std::string& what) { problems_.add({path_, 0, 0}, where_ + what); }

 private:
  const json* find(const char* key, bool required) {
    const auto it = object_.find(key);
    if (it != object_.end()) return &*it;
    if (required) problem(fmt::format("no '{}'; the file is not as gpu_probe writes it", key));
    return nullptr;
  }
  void wrong(const char* key, std::string_view wanted) {
    problem(fmt::format("'{}' is not {}; the file is not as gpu_probe writes it", key, wanted));
  }
  const json& object_;
  std::string where_;
  const std::string& path_;
  Problems& problems_;
};

ProbeFigure read_figure(const json& object, const std::string& where, const std::string& path, Problems& problems) {
  ObjectReader in(object, where, path, problems);
  ProbeFigure f;
  f.name = in.text("name");
  f.unit = in.text("unit");
  f.n = static_cast<std::int64_t>(in.number("n"));
  f.median = in.number("median");
  f.p5 = in.number("p5");
  f.p95 = in.number("p95");
  f.rel_noise = in.number("rel_noise", false);
  f.mean = in.number("mean", false);
  if (f.mean == 0) f.mean = f.median;
  f.clock_mhz = in.number("sm_clock_mhz", false);
  if (const json* keys = in.object("keys")) {
    for (const auto& [key, value] : keys->items()) {
      if (value.is_boolean())
        f.keys[key] = value.get<bool>();
      else if (value.is_number_integer())
        f.keys[key] = value.get<std::int64_t>();
      else if (value.is_number())
        f.keys[key] = value.get<double>();
      else if (value.is_string())
        f.keys[key] = value.get<std::string>();
    }
  }
  if (const json* extra = in.object("extra", false)) {
    for (const auto& [key, value] : extra->items())
      if (value.is_number()) f.extra[key] = value.get<double>();
  }
  const auto impossible = [&](std::string_view what) {
    in.problem(fmt::format("{}: {}; was the file edited by hand?", f.str(), what));
  };
  if (f.n < 1) impossible("no samples");
  if (f.median < 0 || f.p5 < 0) impossible("less than nothing");
  if (f.p5 > f.median || f.median > f.p95) impossible("p5, median and p95 are out of order");
  if (f.clock_mhz < 0) impossible("a negative clock");
  return f;
}

ProbePart read_part(const std::string& name, const json& object, const std::string& path, Problems& problems) {
  ProbePart part;
  if (!object.is_object()) {
    problems.add({path, 0, 0}, fmt::format("part {}: not an object; the file is not as gpu_probe writes it", name));
    return part;
  }
  ObjectReader in(object, fmt::format("part {}: ", name), path, problems);
  part.status = in.text("status");
  part.reason = in.text("reason", false);
  const json* figures = in.list("figures", part.status == "measured");
  if (figures == nullptr) return part;
  std::set<std::string> seen;
  for (const auto& figure : *figures) {
    const std::string where = fmt::format("part {}: figure {}: ", name, part.figures.size() + 1);
    if (!figure.is_object()) {
      problems.add({path, 0, 0}, where + "not an object; the file is not as gpu_probe writes it");
      return part;
    }
    part.figures.push_back(read_figure(figure, where, path, problems));
    if (!seen.insert(part.figures.back().str()).second)
      problems.add({path, 0, 0}, fmt::format("{}{} is there twice", where, part.figures.back().str()));
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
  json root;
  try {
    root = json::parse(text);
  } catch (const json::parse_error& error) {
    const bool torn = error.byte + 1 >= text.size();
    throw InputError(place_of(text, error.byte, path),
                     torn ? "the file ends in the middle: a torn probe file; copy it anew or run gpu_probe again"
                          : "not JSON from here on; a probe file is what `gpu_probe all -o FILE` writes");
  }
  if (!root.is_object() || !root.contains("schema") || !root["schema"].is_string())
    throw InputError({path, 0, 0},
                     "not a probe file: no 'schema'; a probe file is what `gpu_probe all -o FILE` writes");
  const auto schema = root["schema"].get<std::string>();
  if (schema != schema_known)
    throw InputError({path, 0, 0}, schema.starts_with(schema_prefix)
                                       ? fmt::format("{}: this version reads {}; use the gpu_probe that came with it",
                                                     shown(schema), schema_known)
                                       : fmt::format("'{}' is not a probe file ({})", shown(schema), schema_known));
  Problems problems;
  ObjectReader in(root, "", path, problems);
  ProbeFile probe;
  probe.path = path;
  probe.version = in.text("version");
  probe.date = in.text("date");
  probe.model = in.text("model", false);
  probe.quick = in.flag("quick");
  probe.interrupted = in.flag("interrupted");
  probe.in_use_by_others = in.flag("in_use_by_others");
  if (const json* device = in.object("device")) {
    ObjectReader gpu(*device, "device: ", path, problems);
    probe.gpu = gpu.text("name");
    probe.driver = gpu.text("driver", false);
    probe.sms = static_cast<std::int64_t>(gpu.number("sms"));
    probe.memory = Bytes{static_cast<std::int64_t>(gpu.number("memory_bytes"))};
    probe.clock_max_mhz = gpu.number("sm_clock_max_mhz", false);
    if (probe.sms < 1 || probe.sms > 100'000) gpu.problem("'sms' is not a number of multiprocessors");
  }
  if (const json* parts = in.object("parts"))
    for (const auto& [name, part] : parts->items()) probe.parts[name] = read_part(name, part, path, problems);
  if (const auto points = root.find("canary"); points != root.end()) probe.canary = canary_times(*points);
  problems.throw_if_any();
  return probe;
}

CanaryTimes canary_times(const json& points) {
  std::vector<double> read, rested, loaded;
  if (!points.is_array()) return {};
  for (const json& point : points) {
    const auto median = point.find("median"), name = point.find("name"), keys = point.find("keys");
    if (median == point.end() || !median->is_number() || name == point.end()) continue;
    const double ns = median->get<double>() * 1e3;
    if (*name == "read") read.push_back(ns);
    if (*name != "product" || keys == point.end()) continue;
    (keys->value("state", "") == "rested" ? rested : loaded).push_back(ns);
  }
  return {median_of(read), median_of(rested), median_of(loaded)};
}

ProbeFile load_probe(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw InputError({path, 0, 0}, "cannot be read; give the file that `gpu_probe all -o FILE` wrote");
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (text.empty()) throw InputError({path, 0, 0}, "the file is empty (or a folder); give one that gpu_probe wrote");
  return parse_probe(text, path);
}

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
