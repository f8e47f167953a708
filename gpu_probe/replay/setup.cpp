#include "gpu_probe/replay/setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/config.hpp"
#include "gpu_probe/kernels/kv_view.hpp"
#include "gpu_probe/replay/token_source.hpp"
#include "gpu_probe/report.hpp"
#include "sim/kv/registry.hpp"
#include "sim/sched/scheduler.hpp"

namespace stowage::replay {
namespace {
constexpr std::int64_t granularity = std::int64_t{2} << 20;  // of cuMemCreate on every GPU met so far
double in_gib(Bytes b) { return static_cast<double>(b.count()) / (1 << 30); }

/// The description of `m` with other layers, as load_model reads it.
std::string model_yaml(const ModelSpec& m, int layers) {
  return fmt::format(
      "name: {}-{}-layers\nlayers: {}\nhidden: {}\nheads: {}\nkv_heads: {}\nhead_dim: {}\nintermediate: {}\n"
      "vocab: {}\nmax_positions: {}\ndtype: {}\nqk_norm: {}\n",
      m.name, layers, layers, m.hidden, m.heads, m.kv_heads, m.head_dim, m.intermediate, m.vocab, m.max_positions,
      dtype_name(m.dtype), m.qk_norm);
}

void check_shape(const ModelSpec& m, const probe::ModelShape& shape, Problems& problems) {
  const bool same = m.hidden == shape.hidden && m.heads == shape.heads && m.kv_heads == shape.kv_heads &&
                    m.head_dim == shape.head_dim && m.intermediate == shape.intermediate && m.vocab == shape.vocab &&
                    m.mlp == Mlp::gated && m.qk_norm == shape.name.starts_with("qwen3") && dtype_bytes(m.dtype) == 2 &&
                    dtype_bytes(m.kv_dtype) == 2;
  if (!same)
    problems.add({}, fmt::format("gpu_probe's shapes of {} are not the scenario's; a bug: please report", m.name));
}

void choose_managers(Scenario& s, const std::vector<std::string>& wanted, Problems& problems) {
  std::string names;
  for (const RunConfig& run : s.runs) names += fmt::format("{}{}", names.empty() ? "" : ", ", run.manager.name);
  for (const std::string& name : wanted)
    if (std::none_of(s.runs.begin(), s.runs.end(),
                     [&](const RunConfig& r) { return r.manager.name == name || r.manager.kind == name; }))
      problems.add({}, fmt::format("--manager: the scenario has no '{}'; it has {}", name, names));
  if (wanted.empty()) return;
  std::erase_if(s.runs, [&](const RunConfig& r) {
    return std::none_of(wanted.begin(), wanted.end(),
                        [&](const std::string& w) { return r.manager.name == w || r.manager.kind == w; });
  });
}
}  // namespace

std::string store_problem(const RunConfig& config) {
  const ManagerSpec& m = config.manager;
  const ManagerRow& row = row_of(m);
  if (!row.on_hardware) return fmt::format("manager '{}' has no real counterpart yet", m.kind);
  if (const std::int64_t block = row.layout(m).block_tokens;
      block > 0 && std::ranges::find(probe::kBlockSizes, block) == std::end(probe::kBlockSizes))
    return fmt::format("no attention kernel for blocks of {} tokens; there are 16, 32, 64, 128 and 256", block);
  if (const Bytes page = row.page(m); page.count() % granularity != 0)
    return fmt::format("pages of {} cannot be mapped by a stock driver, whose granularity is 2MiB", format_bytes(page));
  return "";
}

std::vector<InlineRequests> written_out(const Workload& workload) {
  std::vector<InlineRequests> out;
  const auto stream = workload.open();
  std::vector<Request> rows(4096);
  for (std::size_t n = stream->read(rows); n > 0; n = stream->read(rows))
    for (std::size_t i = 0; i < n; ++i) {
      const Request& r = rows[i];
      InlineRequests row{static_cast<double>(r.arrival_ns), r.prompt_tokens, r.limit(), 1};
      if (r.stops_by_itself()) row.stop_at = r.output_tokens;
      const PromptContent content = stream->content(r);
      for (const std::uint64_t hash : content.hashes) row.hashes.push_back(salted(hash, content.salt));
      if (!out.empty() && out.back().at_ns == row.at_ns && out.back().prompt == row.prompt &&
          out.back().output == row.output && out.back().stop_at == row.stop_at && out.back().hashes == row.hashes)
        ++out.back().count;
      else
        out.push_back(std::move(row));
    }
  return out;
}

Prepared prepare(const ReplayOptions& options, const std::string& folder) {
  Prepared p;
  std::vector<std::string> sets = options.sets;
  p.scenario = load_scenario(options.scenario, sets, options.seed);
  const std::string model = p.scenario.model_ref;
  p.model_layers = static_cast<int>(p.scenario.model.layers);
  if (options.layers > p.model_layers)
    throw InputError({}, fmt::format("--layers {}: {} has {}", options.layers, model, p.model_layers));
  Problems problems;
  const probe::ModelShape* shape = probe::find_model_shape(model);
  if (shape == nullptr) {
    std::string names;
    for (const probe::ModelShape& s : probe::model_shapes())
      names += fmt::format("{}{}", names.empty() ? "" : ", ", s.name);
    problems.add({p.scenario.file, 0, 0},
                 fmt::format("'model: {}' has no real counterpart here; there are {}", model, names));
  } else {
    p.shape = *shape;
    check_shape(p.scenario.model, *shape, problems);
  }
  problems.throw_if_any();
  if (options.layers > 0 && options.layers < p.model_layers) {
    std::filesystem::create_directories(folder);
    // Relative, so that the resolved scenario names it by its place beside measured.json, wherever that is moved.
    const std::string path =
        std::filesystem::proximate(fmt::format("{}/model-{}-layers.yaml", folder, options.layers)).string();
    probe::write_file(path, model_yaml(p.scenario.model, options.layers));
    sets.push_back("model=" + path);
    p.scenario = load_scenario(options.scenario, sets, options.seed);
    p.shape.layers = options.layers;
  }
  Scenario& s = p.scenario;
  choose_managers(s, options.managers, problems);
  const auto unsupported = [&](bool is, const std::string& what) {
    if (is) problems.add({s.file, 0, 0}, what);
  };
  unsupported(!find_scheduler(s.scheduler.policy)->on_hardware,
              fmt::format("a replay does not run scheduler 'policy: {}'; simulate it with 'stowage run'",
                          s.scheduler.policy));
  unsupported(s.scheduler.async_scheduling,
              "a replay has one step in flight and waits for it; write scheduler: {async_scheduling: false}");
  unsupported(s.cluster.replicas != 1 || s.cluster.tensor != 1 || s.cluster.pipeline != 1,
              "a replay runs one replica on one GPU; write cluster: {replicas: 1, tensor: 1, pipeline: 1}");
  for (const RunConfig& run : s.runs) {
    const std::string why = store_problem(run);
    unsupported(!why.empty(), fmt::format("{}: {}", run.manager.name, why));
  }
  problems.throw_if_any();
  // What the scenario lists stays as it is: turns of sessions have no arrival before the run.
  if (!std::holds_alternative<std::vector<InlineRequests>>(s.workload.source)) {
    s.workload.source = written_out(*s.runs.front().workload);
    s.workload.rate_scale = 1;
  }
  const auto& rows = std::get<std::vector<InlineRequests>>(s.workload.source);
  for (const InlineRequests& r : rows) {
    p.requests += static_cast<std::uint64_t>(r.count);
    p.offline = p.offline && r.at_ns == rows.front().at_ns && r.session.empty();
  }
  p.pool_given = !s.memory.utilization.has_value();
  return p;
}

void set_pool(Scenario& s, Bytes pool) {
  s.memory = {};
  s.memory.kv_pool = pool;
  s.kv.pool = pool;
  s.pool_tokens = floor_div(pool, s.kv.bytes_per_token);
  for (RunConfig& run : s.runs) {
    run.kv.pool = pool;
    try {
      row_of(run.manager).check(run);
    } catch (const std::runtime_error& e) {  // wrong or infeasible: here both come of the pool
      throw InfeasibleError(fmt::format("{}: {}", run.manager.name, e.what()));
    }
  }
}

void fit_pool(Prepared& p, Bytes room, std::vector<std::string>& notes) {
  const Bytes wanted = p.scenario.kv.pool;
  if (wanted <= room) {
    set_pool(p.scenario, wanted);
    return;
  }
  if (p.pool_given)
    throw InfeasibleError(fmt::format(
        "the KV pool of {:.2f} GiB does not fit this GPU: {:.2f} GiB are free beside the weights and "
        "activations; write memory: {{kv_tokens: {}}} or less, or take fewer --layers",
        in_gib(wanted), in_gib(room), std::max<std::int64_t>(0, floor_div(room, p.scenario.kv.bytes_per_token))));
  notes.push_back(fmt::format("the KV pool is what fits, {:.2f} GiB, not the {:.2f} GiB of the budget", in_gib(room),
                              in_gib(wanted)));
  set_pool(p.scenario, room);
}

}  // namespace stowage::replay
