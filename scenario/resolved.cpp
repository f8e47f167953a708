// Writes a scenario out with nothing left to default: the counterpart of every reader in this folder.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "base/config.hpp"
#include "scenario/reader.hpp"
#include "scenario/scenario.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;

/// Text as YAML: bare where nothing could mistake it for something else, else in double quotes.
std::string yaml_text(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto bare_char = [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/' || c == '+' || c == '-';
  };
  constexpr std::array<std::string_view, 3> words_of_yaml = {"null", "Null", "NULL"};
  const bool bare = !text.empty() && (letter(text[0]) || text[0] == '/' || text[0] == '.') &&
                    std::all_of(text.begin(), text.end(), bare_char) &&
                    std::find(words_of_yaml.begin(), words_of_yaml.end(), text) == words_of_yaml.end();
  if (bare) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", c);
    else if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out + "\"";
}

/// `path` as a file kept in `folder` would name it; absolute paths stay as they are.
std::string path_from(const std::string& path, const fs::path& folder) {
  if (fs::path(path).is_absolute()) return path;
  const fs::path base = fs::absolute(folder.empty() ? fs::path(".") : folder).lexically_normal();
  return fs::absolute(path).lexically_normal().lexically_relative(base / "").string();
}

/// "{a: 1, b: 2}" from the parts that are there.
class FlowMap {
 public:
  template <class T>
  FlowMap& add(std::string_view key, const T& value) {
    parts_.push_back(fmt::format("{}: {}", key, value));
    return *this;
  }
  [[nodiscard]] std::string str() const { return fmt::format("{{{}}}", fmt::join(parts_, ", ")); }
  [[nodiscard]] bool empty() const { return parts_.empty(); }

 private:
  std::vector<std::string> parts_;
};

std::string zoo_or_path(const std::string& ref, const fs::path& folder) {
  if (!detail::is_path(ref)) return yaml_text(ref);
  const std::string path = path_from(ref, folder);
  return yaml_text(detail::is_path(path) ? path : "./" + path);
}

std::string memory(const MemorySpec& m) {
  FlowMap out;
  if (m.utilization) out.add("utilization", *m.utilization);
  if (m.kv_pool) out.add("kv_pool", format_bytes(*m.kv_pool));
  if (m.kv_tokens) out.add("kv_tokens", *m.kv_tokens);
  if (m.activations) out.add("activations", format_bytes(*m.activations));
  if (m.overhead) out.add("overhead", format_bytes(*m.overhead));
  if (m.device) out.add("device", format_bytes(*m.device));
  if (m.weights) out.add("weights", format_bytes(*m.weights));
  if (m.graphs) out.add("graphs", format_bytes(*m.graphs));
  if (m.kv_dtype) out.add("kv_dtype", dtype_name(*m.kv_dtype));
  return out.str();
}

std::string length(const LengthSpec& spec) {
  FlowMap inner;
  switch (spec.kind) {
    case LengthKind::fixed:
      return fmt::format("{{fixed: {}}}", spec.value);
    case LengthKind::uniform:
      inner.add("min", spec.min).add("max", spec.max);
      break;
    case LengthKind::lognormal:
      if (spec.mean) inner.add("mean", *spec.mean);
      if (spec.p50) inner.add("p50", *spec.p50);
      if (spec.sigma) inner.add("sigma", *spec.sigma);
      inner.add("min", spec.min).add("max", spec.max);
      break;
    case LengthKind::quantiles: {
      std::vector<std::string> pairs;
      for (const auto& [share, tokens] : spec.quantiles) pairs.push_back(fmt::format("[{}, {}]", share, tokens));
      return fmt::format("{{quantiles: [{}]}}", fmt::join(pairs, ", "));
    }
  }
  return fmt::format("{{{}: {}}}", length_kind_names.at(static_cast<std::size_t>(spec.kind)), inner.str());
}

struct WorkloadWriter {
  double rate_scale;
  fs::path folder;

  std::string operator()(const TraceOptions& t) const {
    return fmt::format("workload:\n  trace: {}\n  rate_scale: {}\n  limit: {}\n  repeat: {}\n",
                       yaml_text(path_from(t.path, folder)), rate_scale, t.limit, t.repeat);
  }
  std::string operator()(const std::vector<InlineRequests>& groups) const {
    std::string out = fmt::format("workload:\n  rate_scale: {}\n  requests:\n", rate_scale);
    for (const auto& g : groups) {
      FlowMap map;
      map.add("at", format_duration(g.at_ns)).add("prompt", g.prompt).add("output", g.output).add("count", g.count);
      out += fmt::format("    - {}\n", map.str());
    }
    return out;
  }
  std::string operator()(const SyntheticSpec& s) const {
    std::string out = fmt::format("workload:\n  rate_scale: {}\n  synthetic:\n    arrivals: {}\n", rate_scale,
                                  arrival_kind_names.at(static_cast<std::size_t>(s.arrivals)));
    out += fmt::format("    rate: {}/s\n", s.rate_per_s);
    if (s.arrivals == ArrivalKind::gamma) out += fmt::format("    cv: {}\n", s.cv);
    return out +
           fmt::format("    count: {}\n    prompt: {}\n    output: {}\n", s.count, length(s.prompt), length(s.output));
  }
};

std::string cost(const CostSpec& c, const fs::path& folder) {
  FlowMap out;
  out.add("source", cost_source_names.at(static_cast<std::size_t>(c.source)));
  if (!c.profile.empty()) out.add("profile", yaml_text(path_from(c.profile, folder)));
  if (c.source == CostSource::linear) {
    out.add("base", format_duration(c.linear.base_ns))
        .add("per_prefill_token", format_duration(c.linear.per_prefill_token_ns))
        .add("per_decode_seq", format_duration(c.linear.per_decode_seq_ns))
        .add("per_kv_token", format_duration(c.linear.per_kv_token_ns));
  }
  FlowMap vmm;
  if (c.vmm_create_ns) vmm.add("create", format_duration(*c.vmm_create_ns));
  if (c.vmm_map_ns) vmm.add("map", format_duration(*c.vmm_map_ns));
  if (c.vmm_set_access_ns) vmm.add("set_access", format_duration(*c.vmm_set_access_ns));
  if (c.vmm_unmap_ns) vmm.add("unmap", format_duration(*c.vmm_unmap_ns));
  if (!vmm.empty()) out.add("vmm", vmm.str());
  return out.str();
}

std::string manager(const ManagerSpec& spec) {
  FlowMap out;
  out.add("kind", spec.kind).add("name", yaml_text(spec.name));
  const ManagerRow* row = find_manager(spec.kind);
  STOWAGE_ASSERT(row != nullptr);
  for (const auto& p : row->params) {
    const auto it = spec.params.find(p.name);
    if (it == spec.params.end()) continue;
    if (p.type == ParamType::bytes)
      out.add(p.name, format_bytes(Bytes{std::get<std::int64_t>(it->second)}));
    else
      std::visit([&](const auto& value) { out.add(p.name, value); }, it->second);
  }
  return out.str();
}
}  // namespace

std::string resolved_yaml(const Scenario& s, const std::optional<std::string>& kept_in) {
  const fs::path folder = kept_in ? fs::path(*kept_in) : fs::path(s.file).parent_path();
  std::string out =
      fmt::format("schema: {}\nname: {}\nseed: {}\nmodel: {}\nhardware: {}\n", s.schema, yaml_text(s.name), s.seed,
                  zoo_or_path(s.model_ref, folder), zoo_or_path(s.hardware_ref, folder));
  const auto& c = s.cluster;
  const std::string spread =
      c.expert > 1 || c.data > 1 ? fmt::format("expert: {}, data: {}, ", c.expert, c.data) : std::string{};
  if (c.groups.empty()) {
    out += fmt::format("cluster: {{replicas: {}, tensor: {}, pipeline: {}, {}router: {}}}\n", c.replicas, c.tensor,
                       c.pipeline, spread, c.router);
  } else {
    out += fmt::format("cluster:\n  router: {}\n  groups:\n", c.router);
    for (const GroupSpec& g : c.groups)
      out += fmt::format("    - {{replicas: {}, hardware: {}, tensor: {}, weight: {}}}\n", g.replicas,
                         zoo_or_path(g.hardware_ref, folder), g.tensor, g.weight);
  }
  if (s.engine != nullptr) out += fmt::format("engine: {}\n", s.engine->name);
  if (s.host)
    out += fmt::format("host: {{per_step: {}, per_layer: {}, per_seq: {}}}\n", format_duration(s.host->per_step_ns),
                       format_duration(s.host->per_layer_ns), format_duration(s.host->per_seq_ns));
  if (s.engine != nullptr || s.frontend.any())
    out += fmt::format("frontend: {{per_request: {}, per_prompt_token: {}, per_output_token: {}}}\n",
                       format_duration(s.frontend.per_request_ns), format_duration(s.frontend.per_prompt_token_ns),
                       format_duration(s.frontend.per_output_token_ns));
  out += fmt::format("memory: {}\n", memory(s.memory));
  out += std::visit(WorkloadWriter{s.workload.rate_scale, folder}, s.workload.source);
  const auto& sched = s.scheduler;
  out += fmt::format(
      "scheduler: {{policy: {}, max_batch: {}, max_batched_tokens: {}, max_model_len: {}, chunked_prefill: {}, "
      "admit_full: {}}}\n",
      scheduler_policy_names[static_cast<std::size_t>(sched.policy)], sched.max_batch, sched.max_batched_tokens,
      sched.max_model_len, sched.chunked_prefill, sched.admit_full);
  out += fmt::format("cost: {}\n", cost(s.cost, folder));
  out += "managers:\n";
  for (const auto& run : s.runs) out += fmt::format("  - {}\n", manager(run.manager));
  FlowMap slo;
  for (const auto& t : s.slo) slo.add(t.name(), format_duration(t.limit_ns));
  out += fmt::format("slo: {}\n", slo.str());
  return out;
}
}  // namespace stowage
