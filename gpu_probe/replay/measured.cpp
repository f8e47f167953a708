#include "gpu_probe/replay/measured.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "base/error.hpp"
#include "gpu_probe/measure.hpp"
#include "reports/json.hpp"

namespace stowage::replay {
namespace {
using Json = nlohmann::ordered_json;

double seconds(std::int64_t ns) { return static_cast<double>(ns) / 1e9; }
double rounded(double x) { return std::stod(fmt::format("{:.6g}", x)); }

Json spread_us(const std::vector<double>& us) {
  const probe::Summary s = probe::summarise(us);
  return {{"count", s.n},
          {"mean", rounded(s.mean)},
          {"p50", rounded(s.median)},
          {"p95", rounded(s.p95)},
          {"max", rounded(s.max)}};
}

Json regimes(const Pass& pass) {
  std::map<std::string_view, std::vector<double>> step_us;
  for (const MeasuredIteration& i : pass.iterations)
    step_us[regime_of(i.record)].push_back(static_cast<double>(i.record.step_ns) / 1e3);
  Json out = Json::object();
  for (const auto& [regime, us] : step_us) {
    Json row = spread_us(us);
    double sum = 0;
    for (const double x : us) sum += x;
    row["total_s"] = rounded(sum / 1e6);
    out[std::string(regime)] = std::move(row);
  }
  return out;
}

Json host(const Pass& pass) {
  std::vector<double> us;
  for (const MeasuredIteration& i : pass.iterations) us.push_back(static_cast<double>(i.host_ns) / 1e3);
  return spread_us(us);
}

Json driver(const DriverTotals& d) {
  return {{"map_calls", d.map_calls},       {"set_access_calls", d.set_access_calls},
          {"unmap_calls", d.unmap_calls},   {"hurried_unmap_calls", d.hurried_unmaps},
          {"map_s", seconds(d.map_ns)},     {"set_access_s", seconds(d.set_access_ns)},
          {"unmap_s", seconds(d.unmap_ns)}, {"beside_s", seconds(d.beside_ns)}};
}

Json result_json(const RunResult& result) {
  ReportInput input;
  input.runs = {result};
  return to_json(input, WallTimes::told)["runs"][0];
}

Json pass_json(const Pass& pass) {
  Json out = {{"state", pass.state}, {"status", pass.status}, {"iterations", pass.iterations.size()}};
  if (pass.result) out["result"] = result_json(*pass.result);
  out["driver"] = driver(pass.driver);
  out["step_us"] = regimes(pass);
  out["host_us"] = host(pass);
  out["tokens"] = fmt::format("{:016x}", pass.tokens);
  out["gpu_at_end"] = {{"sm_clock_mhz", pass.gpu.sm_clock_mhz},
                       {"memory_clock_mhz", pass.gpu.memory_clock_mhz},
                       {"power_w", rounded(pass.gpu.power_w)},
                       {"temperature_c", pass.gpu.temperature_c},
                       {"memory_temperature_c", pass.gpu.memory_temperature_c},
                       {"clock_reasons", pass.gpu.clock_reasons}};
  return out;
}

/// How far two passes of the same schedule are apart, iteration by iteration: one prediction
/// for both is off by half of that at least.
Json repeat_json(const ManagerRun& run) {
  std::vector<const Pass*> warm;
  for (const Pass& p : run.passes)
    if (p.state == "warm" && p.status == "complete") warm.push_back(&p);
  if (warm.size() < 2) return nullptr;
  const auto& a = warm[warm.size() - 2]->iterations;
  const auto& b = warm.back()->iterations;
  const auto took = [](const MeasuredIteration& i) {
    return static_cast<double>(i.record.stall_ns + i.record.step_ns);
  };
  std::vector<double> apart;
  double bias = 0;
  bool same = a.size() == b.size();
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    same = same && a[i].record.prefill_tokens == b[i].record.prefill_tokens &&
           a[i].record.decode_kv_tokens == b[i].record.decode_kv_tokens;
    const double relative = took(b[i]) / took(a[i]) - 1;
    apart.push_back(std::abs(relative));
    bias += relative;
  }
  const probe::Summary s = probe::summarise(apart);
  const double first = static_cast<double>(warm[warm.size() - 2]->result->makespan_ns);
  return {{"same_schedule", same},
          {"iteration_mape", rounded(s.mean)},
          {"iteration_bias", rounded(apart.empty() ? 0 : bias / static_cast<double>(apart.size()))},
          {"iteration_p95", rounded(s.p95)},
          {"makespan", rounded(first > 0 ? static_cast<double>(warm.back()->result->makespan_ns) / first - 1 : 0)}};
}

void write_gz(const std::string& path, const std::string& text) {
  const std::string torn = path + ".tmp";
  gzFile file = gzopen(torn.c_str(), "wb9");
  if (file == nullptr) throw EnvironmentError(path + ": cannot write");
  bool ok = true;
  for (std::size_t at = 0; at < text.size() && ok; at += std::size_t{1} << 20) {
    const std::size_t n = std::min(text.size() - at, std::size_t{1} << 20);
    ok = gzwrite(file, text.data() + at, static_cast<unsigned>(n)) == static_cast<int>(n);
  }
  ok = gzclose(file) == Z_OK && ok;
  std::error_code failed;
  if (ok) std::filesystem::rename(torn, path, failed);
  if (ok && !failed) return;
  std::filesystem::remove(torn, failed);
  throw EnvironmentError(path + ": cannot write");
}
}  // namespace

std::string_view regime_of(const IterationRecord& r) {
  return r.prefill_tokens == 0 ? "decode" : r.decode_seqs == 0 ? "prefill" : "mixed";
}

Json to_json(const MeasuredRun& run) {
  const auto& d = run.device;
  Json out = {{"schema", measured_schema},
              {"version", run.version},
              {"date", run.date},
              {"command", run.command},
              {"status", run.status},
              {"device",
               {{"name", d.name},
                {"sms", d.sms},
                {"memory_bytes", d.memory_bytes},
                {"free_bytes", d.free_bytes},
                {"sm_clock_max_mhz", d.sm_clock_max_mhz},
                {"driver", d.driver_version},
                {"runtime_cuda", d.runtime_cuda},
                {"card", d.card}}},
              {"host",
               {{"cpu", run.host.cpu},
                {"logical_cpus", run.host.logical_cpus},
                {"kernel", run.host.kernel},
                {"hypervisor", run.host.hypervisor}}},
              {"in_use_by_others", run.in_use_by_others},
              {"model", run.model},
              {"layers", run.layers},
              {"model_layers", run.model_layers},
              {"weight_bytes", run.weight_bytes},
              {"load_s", rounded(run.load_s)},
              {"canary", probe::canary_json(run.canary)},
              {"warm_up", run.warm_up},
              {"scenario_file", run.scenario_file},
              {"scenario", run.scenario_yaml},
              {"notes", run.notes},
              {"files", {{"iterations", "iterations.csv.gz"}, {"requests", "requests.csv.gz"}}}};
  Json rows = Json::array();
  for (const ManagerRun& r : run.runs) {
    Json row = {{"name", r.manager.name},
                {"kind", r.manager.kind},
                {"prefill_loader", r.prefill_loader},
                {"start_up_s", rounded(r.start_up_s)},
                {"create_handles_s", rounded(r.create_s)},
                {"warm_up_s", rounded(r.warm_up_s)},
                {"passes", Json::array()}};
    for (const Pass& p : r.passes) row["passes"].push_back(pass_json(p));
    row["repeat"] = repeat_json(r);
    rows.push_back(std::move(row));
  }
  out["runs"] = std::move(rows);
  return out;
}

std::string iterations_csv(const MeasuredRun& run) {
  std::string out =
      "manager,pass,index,start_ns,stall_ns,step_ns,prefill_tokens,decode_seqs,decode_kv_tokens,running,waiting,"
      "live_bytes,held_bytes,cached_bytes,external_bytes,free_bytes,chunks,host_ns,gpu_ns,wait_ns,units,maps,unmaps,"
      "map_ns,set_access_ns,unmap_ns,beside_ns,graph\n";
  for (const ManagerRun& r : run.runs)
    for (std::size_t p = 0; p < r.passes.size(); ++p)
      for (const MeasuredIteration& i : r.passes[p].iterations) {
        const IterationRecord& e = i.record;
        std::string chunks;
        for (const Chunk& c : i.chunks) chunks += fmt::format("{}{}@{}", chunks.empty() ? "" : " ", c.count, c.stored);
        out +=
            fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
                        r.manager.name, p, e.index, e.start_ns, e.stall_ns, e.step_ns, e.prefill_tokens, e.decode_seqs,
                        e.decode_kv_tokens, e.running, e.waiting, e.live_bytes, e.held_bytes, e.cached_bytes,
                        e.external_bytes, e.free_bytes, chunks, i.host_ns, i.gpu_ns, i.wait_ns, i.units, i.maps,
                        i.unmaps, i.map_ns, i.set_access_ns, i.unmap_ns, i.beside_ns, i.graph ? 1 : 0);
      }
  return out;
}

std::string requests_csv(const MeasuredRun& run) {
  std::string out =
      "manager,pass,id,arrival_ns,prompt_tokens,output_tokens,preemptions,queue_ns,ttft_ns,tpot_ns,e2e_ns,hit_tokens\n";
  for (const ManagerRun& r : run.runs)
    for (std::size_t p = 0; p < r.passes.size(); ++p)
      for (const RequestRecord& q : r.passes[p].requests) {
        const std::string tpot =
            q.output_tokens > 1
                ? fmt::format("{:.1f}", static_cast<double>(q.finished_ns - q.first_token_ns) / (q.output_tokens - 1))
                : "";
        out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}\n", r.manager.name, p, q.id, q.arrival_ns,
                           q.prompt_tokens, q.output_tokens, q.preemptions, q.first_scheduled_ns - q.arrival_ns,
                           q.first_token_ns - q.arrival_ns, tpot, q.finished_ns - q.arrival_ns, q.hit_tokens);
      }
  return out;
}

void write_measured(const MeasuredRun& run, const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) throw EnvironmentError(fmt::format("{}: cannot be made: {}", folder, failed.message()));
  write_gz(folder + "/iterations.csv.gz", iterations_csv(run));
  write_gz(folder + "/requests.csv.gz", requests_csv(run));
  probe::write_file(folder + "/measured.json", to_json(run).dump(1) + "\n");
}

std::string to_text(const MeasuredRun& run) {
  std::string out =
      fmt::format("{}: {} of {} layers on {}\n", run.scenario_file, run.model, run.layers, run.device.name);
  for (const std::string& note : run.notes) out += "  note: " + note + "\n";
  for (const ManagerRun& r : run.runs) {
    out += fmt::format("  {} (start-up {:.1f} s, prefill by {})\n", r.manager.name, r.start_up_s, r.prefill_loader);
    for (const Pass& p : r.passes) {
      if (!p.result) {
        out += fmt::format("    {}: {} after {} iterations\n", p.state, p.status, p.iterations.size());
        continue;
      }
      const RunResult& x = *p.result;
      std::string steps;
      std::map<std::string_view, std::vector<double>> ms;
      for (const MeasuredIteration& i : p.iterations)
        ms[regime_of(i.record)].push_back(static_cast<double>(i.record.step_ns) / 1e6);
      for (const auto& [regime, list] : ms)
        steps += fmt::format(" {} {} x {:.2f} ms", regime, list.size(), probe::summarise(list).mean);
      out += fmt::format(
          "    {}: {:.3f} s, {:.1f} output tokens/s, {} of {} requests, {} preempted, {} tokens hit, batch {:.1f}, "
          "held {:.2f} GiB;{}; "
          "{} maps {} unmaps, driver {:.1f} ms, stall {:.1f} ms; tokens {:016x}\n",
          p.state, seconds(x.makespan_ns), x.output_tokens_per_s(), x.completed, x.submitted, x.preemptions,
          x.prefix.hit_tokens,
          x.batch_mean, static_cast<double>(x.peak_committed_bytes) / (1 << 30), steps, p.driver.map_calls,
          p.driver.unmap_calls, x.vmm.busy_ns / 1e6, static_cast<double>(x.vmm.stall_ns) / 1e6, p.tokens);
    }
    const Json repeat = repeat_json(r);
    if (!repeat.is_null())
      out += fmt::format("    repeat to repeat: iterations {:.2f} % apart, makespan {:+.2f} %{}\n",
                         repeat["iteration_mape"].get<double>() * 100, repeat["makespan"].get<double>() * 100,
                         repeat["same_schedule"].get<bool>() ? "" : "; schedules DIFFER");
  }
  return out;
}

}  // namespace stowage::replay
