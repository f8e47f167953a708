#include "reports/saved.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.hpp"

namespace stowage {
namespace {
using Json = nlohmann::ordered_json;
constexpr std::string_view schema = "stowage.report/1";
constexpr std::string_view cell_letters = "0123456789abcdef";

std::string decimal(unsigned __int128 value) {
  std::string out;
  do {
    out.insert(out.begin(), static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  } while (value > 0);
  return out;
}
unsigned __int128 whole(const std::string& text) {
  unsigned __int128 out = 0;
  for (const char c : text) {
    if (c >= '0' && c <= '9') out = out * 10 + static_cast<unsigned>(c - '0');
  }
  return out;
}
/// JSON has no NaN: null stands for it.
double real(const Json& j) { return j.is_null() ? NAN : j.get<double>(); }

Json histogram(const LogHistogram& h) {
  Json filled = Json::array();
  for (std::size_t i = 0; i < LogHistogram::buckets; ++i) {
    if (h.count_in(i) > 0) filled.push_back({i, h.count_in(i)});
  }
  return {{"sum", decimal(h.sum())}, {"max", h.max()}, {"buckets", std::move(filled)}};
}
LogHistogram histogram(const Json& j) {
  std::vector<LogHistogram::Bucket> filled;
  for (const Json& b : j.at("buckets")) filled.push_back({b.at(0), b.at(1)});
  return LogHistogram::restored(filled, whole(j.at("sum")), j.at("max"));
}

Json spans(const RequestTrace& r) {
  Json out = Json::array();
  for (const PhaseSpan& s : r.spans) out.push_back({static_cast<int>(s.phase), s.from_ns, s.to_ns, s.stalled_ns});
  return {{"id", r.id}, {"prompt", r.prompt_tokens}, {"output", r.output_tokens}, {"spans", std::move(out)}};
}
RequestTrace spans(const Json& j) {
  RequestTrace out{j.at("id"), j.at("prompt"), j.at("output"), {}};
  for (const Json& s : j.at("spans")) {
    const int phase = std::clamp(s.at(0).get<int>(), 0, static_cast<int>(phase_names.size()) - 1);
    out.spans.push_back({static_cast<Phase>(phase), s.at(1), s.at(2), s.at(3)});
  }
  return out;
}

Json trace(const RunTrace& t) {
  Json columns = Json::array();
  for (const OccupancyColumn& c : t.occupancy) {
    std::string cells;
    for (const auto& cell : c.cells) {
      for (const std::uint8_t part : cell) cells += cell_letters[part & 15];
    }
    columns.push_back({c.at_ns, c.refused, std::move(cells)});
  }
  return {{"occupancy", std::move(columns)},
          {"by_address", t.occupancy_by_address},
          {"median", spans(t.median)},
          {"worst", spans(t.worst)},
          {"stall_ns", histogram(t.stall_ns)}};
}
RunTrace trace(const Json& j) {
  RunTrace out;
  for (const Json& c : j.at("occupancy")) {
    OccupancyColumn column{c.at(0), c.at(1), {}};
    const std::string cells = c.at(2);
    for (std::size_t i = 0; i + 2 < cells.size() + 0 && column.cells.size() < RunTrace::occupancy_rows; i += 3) {
      std::array<std::uint8_t, 3> cell{};
      for (std::size_t k = 0; k < 3; ++k) {
        const std::size_t value = cell_letters.find(cells[i + k]);
        cell[k] = static_cast<std::uint8_t>(value == std::string_view::npos ? 0 : value);
      }
      column.cells.push_back(cell);
    }
    out.occupancy.push_back(std::move(column));
  }
  out.occupancy_by_address = j.at("by_address");
  out.median = spans(j.at("median"));
  out.worst = spans(j.at("worst"));
  out.stall_ns = histogram(j.at("stall_ns"));
  return out;
}

Json manager(const ManagerSpec& m) {
  Json params = Json::object();
  for (const auto& [name, value] : m.params) {
    std::visit([&, key = name](const auto& v) { params[key] = v; }, value);
  }
  return {{"kind", m.kind}, {"name", m.name}, {"params", std::move(params)}};
}
ManagerSpec manager(const Json& j) {
  ManagerSpec out{j.at("kind"), j.at("name"), {}};
  for (const auto& [name, value] : j.at("params").items()) {
    if (value.is_string())
      out.params.emplace(name, value.get<std::string>());
    else if (value.is_number_integer())
      out.params.emplace(name, value.get<std::int64_t>());
    else
      out.params.emplace(name, value.get<double>());
  }
  return out;
}

Json summary(const Summary& s) { return {s.count, s.mean, s.p50, s.p90, s.p95, s.p99, s.max}; }
Summary summary(const Json& j) {
  return {j.at(0), real(j.at(1)), real(j.at(2)), real(j.at(3)), real(j.at(4)), real(j.at(5)), real(j.at(6))};
}
Json imbalance(const Imbalance& i) { return {i.max_over_mean, i.cov, i.jain}; }
Imbalance imbalance(const Json& j) { return {real(j.at(0)), real(j.at(1)), real(j.at(2))}; }

Json replica(const ReplicaSummary& r) {
  return {{"group", r.group},
          {"counts",
           {r.submitted, r.completed, r.rejected, r.unfinished, r.preemptions, r.iterations, r.prompt_tokens,
            r.output_tokens}},
          {"times_ns", {r.busy_ns, r.stall_ns}},
          {"batch", {r.batch_mean, r.batch_max}},
          {"pool", {r.pool_bytes, r.pool_tokens, r.peak_committed_bytes}},
          {"mean_fraction", r.mean_fraction},
          {"latencies", {summary(r.ttft_ns), summary(r.tbt_ns), summary(r.e2e_ns)}}};
}
ReplicaSummary replica(const Json& j) {
  ReplicaSummary r;
  const Json &c = j.at("counts"), &p = j.at("pool"), &l = j.at("latencies");
  r.group = j.at("group");
  r.submitted = c.at(0), r.completed = c.at(1), r.rejected = c.at(2), r.unfinished = c.at(3), r.preemptions = c.at(4);
  r.iterations = c.at(5), r.prompt_tokens = c.at(6), r.output_tokens = c.at(7);
  r.busy_ns = j.at("times_ns").at(0), r.stall_ns = j.at("times_ns").at(1);
  r.batch_mean = real(j.at("batch").at(0)), r.batch_max = j.at("batch").at(1);
  r.pool_bytes = p.at(0), r.pool_tokens = p.at(1), r.peak_committed_bytes = p.at(2);
  for (std::size_t i = 0; i < part_count; ++i) r.mean_fraction[i] = real(j.at("mean_fraction").at(i));
  r.ttft_ns = summary(l.at(0)), r.tbt_ns = summary(l.at(1)), r.e2e_ns = summary(l.at(2));
  return r;
}

Json run_json(const RunResult& r) {
  Json rejected = Json::array(), series = Json::array();
  for (const RejectedRequest& x : r.first_rejected)
    rejected.push_back({x.id, x.prompt_tokens, x.output_tokens, x.reason});
  for (const SeriesPoint& p : r.series) series.push_back({p.start_ns, p.end_ns, p.bytes, p.running, p.waiting});
  Json out = {{"name", r.name},
              {"manager", manager(r.manager)},
              {"counts",
               {r.submitted, r.completed, r.rejected, r.unfinished, r.preemptions, r.iterations, r.prompt_tokens,
                r.output_tokens}},
              {"times_ns", {r.first_arrival_ns, r.makespan_ns}},
              {"first_rejected", std::move(rejected)},
              {"ttft_ns", histogram(r.ttft_ns)},
              {"tbt_ns", histogram(r.tbt_ns)},
              {"tpot_ps", histogram(r.tpot_ps)},
              {"e2e_ns", histogram(r.e2e_ns)},
              {"queue_ns", histogram(r.queue_ns)},
              {"batch", {r.batch_mean, r.batch_max}},
              {"pool", {r.pool_bytes, r.pool_tokens, r.bytes_per_token, r.peak_committed_bytes, r.peak_live_bytes}},
              {"mean_fraction", r.mean_fraction},
              {"series", std::move(series)},
              {"vmm",
               {r.vmm.map_calls, r.vmm.unmap_calls, r.vmm.busy_ns, r.vmm.stall_ns, r.vmm.stall_max_ns,
                r.vmm.stalled_iterations}}};
  if (r.trace) out["trace"] = trace(*r.trace);
  if (r.client_ttft_ns.count() > 0) out["client_ns"] = {histogram(r.client_ttft_ns), histogram(r.client_e2e_ns)};
  if (!r.replicas.empty()) {
    out["imbalance"] = {imbalance(r.requests_imbalance), imbalance(r.tokens_imbalance), imbalance(r.busy_imbalance)};
    for (const ReplicaSummary& x : r.replicas) out["replicas"].push_back(replica(x));
  }
  return out;
}

RunResult run(const Json& j) {
  RunResult r;
  r.name = j.at("name");
  r.manager = manager(j.at("manager"));
  const Json &c = j.at("counts"), &t = j.at("times_ns"), &p = j.at("pool"), &v = j.at("vmm");
  r.submitted = c.at(0), r.completed = c.at(1), r.rejected = c.at(2), r.unfinished = c.at(3), r.preemptions = c.at(4);
  r.iterations = c.at(5), r.prompt_tokens = c.at(6), r.output_tokens = c.at(7);
  r.first_arrival_ns = t.at(0), r.makespan_ns = t.at(1);
  for (const Json& x : j.at("first_rejected")) r.first_rejected.push_back({x.at(0), x.at(1), x.at(2), x.at(3)});
  r.ttft_ns = histogram(j.at("ttft_ns")), r.tbt_ns = histogram(j.at("tbt_ns")), r.tpot_ps = histogram(j.at("tpot_ps"));
  r.e2e_ns = histogram(j.at("e2e_ns")), r.queue_ns = histogram(j.at("queue_ns"));
  r.batch_mean = real(j.at("batch").at(0)), r.batch_max = j.at("batch").at(1);
  r.pool_bytes = p.at(0), r.pool_tokens = p.at(1), r.bytes_per_token = p.at(2);
  r.peak_committed_bytes = p.at(3), r.peak_live_bytes = p.at(4);
  for (std::size_t i = 0; i < part_count; ++i) r.mean_fraction[i] = real(j.at("mean_fraction").at(i));
  for (const Json& s : j.at("series")) {
    SeriesPoint point{s.at(0), s.at(1), {}, real(s.at(3)), real(s.at(4))};
    for (std::size_t i = 0; i < part_count; ++i) point.bytes[i] = real(s.at(2).at(i));
    r.series.push_back(point);
  }
  r.vmm = {v.at(0), v.at(1), real(v.at(2)), v.at(3), v.at(4), v.at(5)};
  if (j.contains("trace")) r.trace = std::make_shared<const RunTrace>(trace(j.at("trace")));
  if (j.contains("client_ns"))
    r.client_ttft_ns = histogram(j.at("client_ns").at(0)), r.client_e2e_ns = histogram(j.at("client_ns").at(1));
  if (j.contains("replicas")) {
    const Json& i = j.at("imbalance");
    r.requests_imbalance = imbalance(i.at(0)), r.tokens_imbalance = imbalance(i.at(1));
    r.busy_imbalance = imbalance(i.at(2));
    for (const Json& x : j.at("replicas")) r.replicas.push_back(replica(x));
  }
  return r;
}

Json outcomes(const WhatIf::Outcomes& all) {
  Json out = Json::array();
  for (const auto& o : all) out.push_back(o ? Json{o->ttft_p99_ns, o->requests_per_s} : Json(nullptr));
  return out;
}
WhatIf::Outcomes outcomes(const Json& j) {
  WhatIf::Outcomes out;
  for (const Json& o : j) {
    if (o.is_null())
      out.emplace_back();
    else
      out.push_back(WhatIf::Outcome{real(o.at(0)), real(o.at(1))});
  }
  return out;
}
Json sensitivity(const Sensitivity& s) {
  Json changes = Json::array();
  for (const WhatIf& w : s.changes) {
    changes.push_back({{"what", w.what},
                       {"texts", {w.low_text, w.high_text}},
                       {"sets", {w.low_set, w.high_set}},
                       {"low", outcomes(w.low)},
                       {"high", outcomes(w.high)},
                       {"note", w.note}});
  }
  return {{"basis", s.basis}, {"base", outcomes(s.base)}, {"changes", std::move(changes)}};
}
Sensitivity sensitivity(const Json& j) {
  Sensitivity out{j.at("basis"), outcomes(j.at("base")), {}};
  for (const Json& w : j.at("changes")) {
    out.changes.push_back({w.at("what"), w.at("texts").at(0), w.at("texts").at(1), w.at("sets").at(0),
                           w.at("sets").at(1), outcomes(w.at("low")), outcomes(w.at("high")), w.at("note")});
  }
  return out;
}

ReportInput input_of(const Json& j) {
  ReportInput out;
  out.title = j.at("title"), out.command = j.at("command"), out.version = j.at("version"), out.seed = j.at("seed");
  out.workload_name = j.at("workload_name"), out.resolved_yaml = j.at("resolved_yaml"), out.scenario = j.at("scenario");
  for (const Json& r : j.at("runs")) out.runs.push_back(run(r));
  for (const Json& s : j.at("slo")) {
    if (!is_slo_key(s.at(0).get<std::string>())) throw InputError({}, "no such service level");
    out.slo.push_back({s.at(0), real(s.at(1))});
  }
  for (const Json& b : j.at("budget")) out.budget.push_back({b.at(0), b.at(1), b.at(2)});
  out.kv_line = j.at("kv_line"), out.ledger = j.at("ledger");
  for (const Json& c : j.at("cards")) {
    Card card{c.at("title"), {}};
    for (const Json& f : c.at("facts")) card.facts.push_back({f.at(0), f.at(1)});
    out.cards.push_back(std::move(card));
  }
  out.cost_source = j.at("cost_source");
  out.evidence = static_cast<Evidence>(std::clamp(j.at("evidence").get<int>(), 0, static_cast<int>(Evidence::linear)));
  if (j.contains("sensitivity")) out.sensitivity = sensitivity(j.at("sensitivity"));
  out.notes = j.at("notes").get<std::vector<std::string>>();
  if (j.contains("folders")) out.folders = j.at("folders").get<std::vector<std::string>>();
  if (j.contains("kind")) out.kind = j.at("kind"), out.data = j.at("data");
  return out;
}
}  // namespace

std::string to_saved(const ReportInput& input) {
  Json runs = Json::array(), slo = Json::array(), budget = Json::array(), cards = Json::array();
  for (const RunResult& r : input.runs) runs.push_back(run_json(r));
  for (const LatencyLimit& l : input.slo) slo.push_back({l.key, l.limit_ns});
  for (const BudgetPart& b : input.budget) budget.push_back({b.label, b.bytes, b.is_kv_pool});
  for (const Card& c : input.cards) {
    Json facts = Json::array();
    for (const Fact& f : c.facts) facts.push_back(Json::array({f.label, f.value}));
    cards.push_back({{"title", c.title}, {"facts", std::move(facts)}});
  }
  Json out = {{"schema", schema},
              {"title", input.title},
              {"command", input.command},
              {"version", input.version},
              {"seed", input.seed},
              {"workload_name", input.workload_name},
              {"resolved_yaml", input.resolved_yaml},
              {"scenario", input.scenario},
              {"slo", std::move(slo)},
              {"budget", std::move(budget)},
              {"kv_line", input.kv_line},
              {"ledger", input.ledger},
              {"cards", std::move(cards)},
              {"cost_source", input.cost_source},
              {"evidence", static_cast<int>(input.evidence)},
              {"notes", input.notes},
              {"runs", std::move(runs)}};
  if (input.sensitivity) out["sensitivity"] = sensitivity(*input.sensitivity);
  if (!input.folders.empty()) out["folders"] = input.folders;
  if (input.kind != "run") {
    out["kind"] = input.kind;
    out["data"] = input.data;
  }
  return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

ReportInput from_saved(std::string_view text, const std::string& file) {
  const Json j = Json::parse(text, nullptr, false);
  if (j.is_discarded() || !j.is_object() || !j.contains("schema")) {
    throw InputError({file, 0, 0}, "this is not a report.json that stowage wrote (run … -o writes one)");
  }
  if (j.at("schema") != schema) {
    throw InputError({file, 0, 0},
                     fmt::format("this has schema {}, and this stowage reads {}; run the scenario again",
                                 j.at("schema").dump(-1, ' ', true, Json::error_handler_t::replace), schema));
  }
  try {
    return input_of(j);
  } catch (const Json::exception&) {
    throw InputError({file, 0, 0}, "something is missing in it, or is not what stowage writes; run the scenario again");
  } catch (const InputError&) {
    throw InputError({file, 0, 0}, "a service level in it is unknown to this stowage; run the scenario again");
  }
}
}  // namespace stowage
