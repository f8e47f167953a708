#include "gpu_probe/report.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.hpp"

namespace stowage::probe {
namespace {
using Json = nlohmann::ordered_json;

/// Six significant digits: more is noise, and keeps the file small.
double rounded(double v) {
  if (v == 0 || !std::isfinite(v)) return v;
  const double scale = std::pow(10.0, 5 - static_cast<int>(std::floor(std::log10(std::abs(v)))));
  return std::abs(v) < 1e15 && std::round(v) != v ? std::round(v * scale) / scale : v;
}

Json keys_json(const Keys& keys) {
  Json out = Json::object();
  for (const auto& [key, value] : keys)
    std::visit(
        [&, &name = key](const auto& v) {
          if constexpr (std::is_same_v<std::decay_t<decltype(v)>, double>)
            out[name] = rounded(v);
          else
            out[name] = v;
        },
        value);
  return out;
}

Json figure_json(const Figure& f) {
  const Summary& s = f.summary;
  Json out = {{"name", f.name},
              {"keys", keys_json(f.keys)},
              {"unit", f.unit},
              {"n", s.n},
              {"median", rounded(s.median)},
              {"p5", rounded(s.p5)},
              {"p95", rounded(s.p95)},
              {"stop", std::string(to_string(f.stop))}};
  if (s.n > 1) {
    out["mean"] = rounded(s.mean);
    out["min"] = rounded(s.min);
    out["p99"] = rounded(s.p99);
    out["max"] = rounded(s.max);
    out["rel_noise"] = rounded(s.rel_noise);
  }
  if (f.dropped > 0) out["dropped"] = f.dropped;
  if (f.sm_clock_mhz > 0) out["sm_clock_mhz"] = rounded(f.sm_clock_mhz);
  if (!f.extra.empty()) out["extra"] = keys_json(f.extra);
  return out;
}

Json device_json(const DeviceInfo& d) {
  return {{"name", d.name},
          {"index", d.index},
          {"count", d.count},
          {"sms", d.sms},
          {"compute_capability", fmt::format("{}.{}", d.compute_major, d.compute_minor)},
          {"memory_bytes", d.memory_bytes},
          {"free_bytes", d.free_bytes},
          {"l2_bytes", d.l2_bytes},
          {"shared_per_block_bytes", d.shared_per_block_bytes},
          {"sm_clock_max_mhz", d.sm_clock_max_mhz},
          {"memory_clock_mhz", d.memory_clock_mhz},
          {"memory_bus_bits", d.memory_bus_bits},
          {"driver", d.driver_version},
          {"driver_cuda", d.driver_cuda},
          {"runtime_cuda", d.runtime_cuda},
          {"pci_bus_id", d.pci_bus_id},
          {"card", d.card}};
}

Json part_json(const PartResult& part) {
  Json out = {{"status", std::string(to_string(part.status))}};
  if (!part.reason.empty()) out["reason"] = part.reason;
  out["seconds"] = rounded(part.seconds);
  out["notes"] = part.notes;
  out["figures"] = Json::array();
  for (const Figure& f : part.figures) out["figures"].push_back(figure_json(f));
  return out;
}

/// What the hypervisor calls itself in cpuid leaf 0x40000000: "KVMKVMKVM", "Microsoft Hv".
std::string hypervisor_signature() {
#if defined(__x86_64__)
  unsigned most = 0;
  std::array<unsigned, 3> words = {};
  __cpuid(0x40000000U, most, words[0], words[1], words[2]);
  char text[sizeof words + 1] = "";
  std::memcpy(text, words.data(), sizeof words);
  if (text[0] != '\0') return text;
#endif
  return "present, unnamed";
}

std::string first_line(const char* path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}
}  // namespace

std::string_view to_string(Status status) {
  switch (status) {
    case Status::measured:
      return "measured";
    case Status::waived:
      return "waived";
    case Status::partial:
      return "partial";
  }
  return "?";
}

HostInfo read_host() {
  HostInfo host;
  std::ifstream cpuinfo("/proc/cpuinfo");
  bool virtualised = false;
  for (std::string line; std::getline(cpuinfo, line) && (host.cpu.empty() || !virtualised);) {
    const std::size_t colon = line.find(": ");
    if (host.cpu.empty() && line.starts_with("model name") && colon != std::string::npos)
      host.cpu = line.substr(colon + 2);
    if (line.starts_with("flags")) virtualised = line.find(" hypervisor") != std::string::npos;
  }
  host.logical_cpus = static_cast<int>(std::thread::hardware_concurrency());
  struct utsname name = {};
  if (uname(&name) == 0) host.kernel = name.release;
  if (virtualised) {
    host.hypervisor = first_line("/sys/class/dmi/id/sys_vendor");
    if (host.hypervisor.empty()) host.hypervisor = hypervisor_signature();
  }
  return host;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

Json canary_json(std::span<const CanaryPoint> points) {
  Json out = Json::array();
  for (const CanaryPoint& c : points) {
    Json point = {{"after", c.after}, {"at_s", rounded(c.seconds)}};
    point.update(figure_json(c.figure));
    out.push_back(std::move(point));
  }
  return out;
}

std::string to_json(const ProbeRun& run) {
  Json out;
  out["schema"] = std::string(schema_name);
  out["version"] = run.version;
  out["date"] = run.date;
  out["seconds"] = rounded(run.seconds);
  out["quick"] = run.options.quick;
  out["model"] = run.options.model;
  out["seed"] = run.options.seed;
  out["interrupted"] = run.stop_signal != 0;
  out["in_use_by_others"] = run.in_use_by_others;
  out["device"] = device_json(run.device);
  out["host"] = {{"cpu", run.host.cpu},
                 {"logical_cpus", run.host.logical_cpus},
                 {"kernel", run.host.kernel},
                 {"hypervisor", run.host.hypervisor}};
  out["canary"] = canary_json(run.canary);
  out["parts"] = Json::object();
  for (const PartResult& part : run.parts) out["parts"][part.name] = part_json(part);
  // One figure a line: a diff of two probes can be read, and an error message can name the line.
  std::string text = "{";
  const char* comma = "\n";
  for (const auto& [key, value] : out.items()) {
    if (key == "parts" || key == "canary") continue;
    text += fmt::format("{} {}: {}", comma, Json(key).dump(), value.dump());
    comma = ",\n";
  }
  const auto lines = [](const Json& list, const char* indent) {
    std::string s;
    for (std::size_t i = 0; i < list.size(); ++i)
      s += fmt::format("{}\n{}{}", i == 0 ? "" : ",", indent, list[i].dump());
    return s;
  };
  text += fmt::format(",\n \"canary\": [{}],\n \"parts\": {{", lines(out["canary"], "  "));
  comma = "";
  for (auto& [name, part] : out["parts"].items()) {
    const Json figures = part["figures"];
    part.erase("figures");
    std::string head = part.dump();
    head.pop_back();
    text +=
        fmt::format("{}\n  {}: {},\n   \"figures\": [{}]}}", comma, Json(name).dump(), head, lines(figures, "    "));
    comma = ",";
  }
  return text + "}\n}\n";
}

void write_file(const std::string& path, const std::string& text) {
  const std::string torn = path + ".tmp";
  std::FILE* file = std::fopen(torn.c_str(), "wb");
  if (file == nullptr) throw EnvironmentError(fmt::format("{}: cannot write: {}", path, std::strerror(errno)));
  bool ok = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  ok = std::fflush(file) == 0 && ok;
  const int why = errno;
  ok = std::fclose(file) == 0 && ok;
  if (!ok || std::rename(torn.c_str(), path.c_str()) != 0) {
    std::remove(torn.c_str());
    throw EnvironmentError(fmt::format("{}: cannot write: {}", path, std::strerror(ok ? errno : why)));
  }
}

std::string to_text(const PartResult& part) {
  std::string out = fmt::format("{}: {} in {:.1f} s", part.name, to_string(part.status), part.seconds);
  if (!part.reason.empty()) out += fmt::format(" ({})", part.reason);
  out += '\n';
  for (const Figure& f : part.figures) {
    std::string keys;
    const auto append = [&](const Keys& list) {
      for (const auto& [key, value] : list)
        std::visit(
            [&, &name = key](const auto& v) {
              if constexpr (std::is_same_v<std::decay_t<decltype(v)>, double>)
                keys += fmt::format("{}{}={:.5g}", keys.empty() ? "" : " ", name, v);
              else
                keys += fmt::format("{}{}={}", keys.empty() ? "" : " ", name, v);
            },
            value);
    };
    append(f.keys);
    if (!f.extra.empty()) keys += " |";
    append(f.extra);
    const Summary& s = f.summary;
    out += s.n > 1 ? fmt::format("  {:<22} {:>10.5g} {:<7} p5 {:.4g} p95 {:.4g} n {} {}  {}\n", f.name, s.median,
                                 f.unit, s.p5, s.p95, s.n, to_string(f.stop), keys)
                   : fmt::format("  {:<22} {:>10.6g} {:<7}  {}\n", f.name, s.median, f.unit, keys);
  }
  for (const std::string& note : part.notes) out += "  note: " + note + '\n';
  return out;
}

}  // namespace stowage::probe
