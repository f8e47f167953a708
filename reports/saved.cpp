#include "reports/saved.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json_reader.hpp"

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
unsigned __int128 whole(const JsonReader& in) {
  const std::string text = in.text("0");
  unsigned __int128 out = 0;
  const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || text.empty() || text.size() > 38) in.problem("must be digits, 38 at most");
  for (const char c : text)
    if (digits && text.size() <= 38) out = out * 10 + static_cast<unsigned>(c - '0');
  return out;
}
/// Whole and not negative: counts, bytes, times in ns.
std::int64_t count(const JsonReader& in) { return in.integer(0, INT64_MAX); }
std::uint64_t number(const JsonReader& in) { return static_cast<std::uint64_t>(count(in)); }
std::int32_t tokens(const JsonReader& in) { return static_cast<std::int32_t>(in.integer(0, INT32_MAX)); }
/// A time, a rate, bytes, a share: not negative but for rounding. JSON has no NaN: null stands for it.
double real(const JsonReader& in) { return in && in.raw().is_null() ? NAN : in.number(-1e-6, 1e30); }
std::vector<std::string> texts(const JsonReader& in) {
  std::vector<std::string> out;
  for (const JsonReader& text : in.items()) out.push_back(text.text());
  return out;
}

Json histogram(const LogHistogram& h) {
  Json filled = Json::array();
  for (std::size_t i = 0; i < LogHistogram::buckets; ++i) {
    if (h.count_in(i) > 0) filled.push_back({i, h.count_in(i)});
  }
  return {{"sum", decimal(h.sum())}, {"max", h.max()}, {"buckets", std::move(filled)}};
}
LogHistogram histogram(const JsonReader& in) {
  std::vector<LogHistogram::Bucket> filled;
  for (const JsonReader& b : in["buckets"].items())
    filled.push_back(
        {static_cast<std::size_t>(b[0].integer(0, std::int64_t{LogHistogram::buckets} - 1)), number(b[1])});
  return LogHistogram::restored(filled, whole(in["sum"]), count(in["max"]));
}

Json spans(const RequestTrace& r) {
  Json out = Json::array();
  for (const PhaseSpan& s : r.spans) out.push_back({static_cast<int>(s.phase), s.from_ns, s.to_ns, s.stalled_ns});
  return {{"id", r.id}, {"prompt", r.prompt_tokens}, {"output", r.output_tokens}, {"spans", std::move(out)}};
}
RequestTrace spans(const JsonReader& in) {
  RequestTrace out{number(in["id"]), tokens(in["prompt"]), tokens(in["output"]), {}};
  for (const JsonReader& s : in["spans"].items()) {
    const auto phase = s[0].integer(0, std::int64_t{phase_names.size()} - 1);
    out.spans.push_back({static_cast<Phase>(phase), count(s[1]), count(s[2]), count(s[3])});
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
RunTrace trace(const JsonReader& in) {
  RunTrace out;
  for (const JsonReader& c : in["occupancy"].items()) {
    OccupancyColumn column{count(c[0]), c[1].flag(), {}};
    const std::string cells = c[2].text();
    if (cells.find_first_not_of(cell_letters) != std::string::npos) {
      c[2].problem("holds other letters than 0 to 9 and a to f");
      continue;
    }
    for (std::size_t i = 0; i + 2 < cells.size() && column.cells.size() < RunTrace::occupancy_rows; i += 3) {
      std::array<std::uint8_t, 3> cell{};
      for (std::size_t k = 0; k < 3; ++k) cell[k] = static_cast<std::uint8_t>(cell_letters.find(cells[i + k]));
      column.cells.push_back(cell);
    }
    out.occupancy.push_back(std::move(column));
  }
  out.occupancy_by_address = in["by_address"].flag();
  out.median = spans(in["median"]);
  out.worst = spans(in["worst"]);
  out.stall_ns = histogram(in["stall_ns"]);
  return out;
}

Json manager(const ManagerSpec& m) {
  Json params = Json::object();
  for (const auto& [name, value] : m.params) {
    std::visit([&, key = name](const auto& v) { params[key] = v; }, value);
  }
  return {{"kind", m.kind}, {"name", m.name}, {"params", std::move(params)}};
}
ManagerSpec manager(const JsonReader& in) {
  ManagerSpec out{in["kind"].text(), in["name"].text(), {}};
  for (const auto& [name, value] : in["params"].entries()) {
    if (value.is_text())
      out.params.emplace(name, value.text());
    else if (value.raw().is_number_integer())
      out.params.emplace(name, value.integer(INT64_MIN, INT64_MAX));
    else
      out.params.emplace(name, real(value));
  }
  return out;
}

Json summary(const Summary& s) { return {s.count, s.mean, s.p50, s.p90, s.p95, s.p99, s.max}; }
Summary summary(const JsonReader& in) {
  return {number(in[0]), real(in[1]), real(in[2]), real(in[3]), real(in[4]), real(in[5]), real(in[6])};
}
Json imbalance(const Imbalance& i) { return {i.max_over_mean, i.cov, i.jain}; }
Imbalance imbalance(const JsonReader& in) { return {real(in[0]), real(in[1]), real(in[2])}; }

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
ReplicaSummary replica(const JsonReader& in) {
  ReplicaSummary r;
  const JsonReader c = in["counts"], p = in["pool"], l = in["latencies"];
  r.group = in["group"].text();
  r.submitted = number(c[0]), r.completed = number(c[1]), r.rejected = number(c[2]), r.unfinished = number(c[3]);
  r.preemptions = number(c[4]), r.iterations = number(c[5]), r.prompt_tokens = number(c[6]);
  r.output_tokens = number(c[7]);
  r.busy_ns = count(in["times_ns"][0]), r.stall_ns = count(in["times_ns"][1]);
  r.batch_mean = real(in["batch"][0]), r.batch_max = count(in["batch"][1]);
  r.pool_bytes = count(p[0]), r.pool_tokens = count(p[1]), r.peak_committed_bytes = count(p[2]);
  for (std::size_t i = 0; i < part_count; ++i) r.mean_fraction[i] = real(in["mean_fraction"][i]);
  r.ttft_ns = summary(l[0]), r.tbt_ns = summary(l[1]), r.e2e_ns = summary(l[2]);
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

RunResult run(const JsonReader& in) {
  RunResult r;
  r.name = in["name"].text();
  r.manager = manager(in["manager"]);
  const JsonReader c = in["counts"], t = in["times_ns"], p = in["pool"], v = in["vmm"];
  r.submitted = number(c[0]), r.completed = number(c[1]), r.rejected = number(c[2]), r.unfinished = number(c[3]);
  r.preemptions = number(c[4]), r.iterations = number(c[5]), r.prompt_tokens = number(c[6]);
  r.output_tokens = number(c[7]);
  r.first_arrival_ns = count(t[0]), r.makespan_ns = count(t[1]);
  for (const JsonReader& x : in["first_rejected"].items())
    r.first_rejected.push_back({number(x[0]), tokens(x[1]), tokens(x[2]), x[3].text()});
  r.ttft_ns = histogram(in["ttft_ns"]), r.tbt_ns = histogram(in["tbt_ns"]), r.tpot_ps = histogram(in["tpot_ps"]);
  r.e2e_ns = histogram(in["e2e_ns"]), r.queue_ns = histogram(in["queue_ns"]);
  r.batch_mean = real(in["batch"][0]), r.batch_max = count(in["batch"][1]);
  r.pool_bytes = count(p[0]), r.pool_tokens = count(p[1]), r.bytes_per_token = count(p[2]);
  r.peak_committed_bytes = count(p[3]), r.peak_live_bytes = count(p[4]);
  for (std::size_t i = 0; i < part_count; ++i) r.mean_fraction[i] = real(in["mean_fraction"][i]);
  for (const JsonReader& s : in["series"].items()) {
    SeriesPoint point{count(s[0]), count(s[1]), {}, real(s[3]), real(s[4])};
    for (std::size_t i = 0; i < part_count; ++i) point.bytes[i] = real(s[2][i]);
    r.series.push_back(point);
  }
  r.vmm = {number(v[0]), number(v[1]), real(v[2]), count(v[3]), count(v[4]), number(v[5])};
  if (in.has("trace")) r.trace = std::make_shared<const RunTrace>(trace(in["trace"]));
  if (in.has("client_ns"))
    r.client_ttft_ns = histogram(in["client_ns"][0]), r.client_e2e_ns = histogram(in["client_ns"][1]);
  if (in.has("replicas")) {
    const JsonReader i = in["imbalance"];
    r.requests_imbalance = imbalance(i[0]), r.tokens_imbalance = imbalance(i[1]), r.busy_imbalance = imbalance(i[2]);
    for (const JsonReader& x : in["replicas"].items()) r.replicas.push_back(replica(x));
  }
  return r;
}

Json outcomes(const WhatIf::Outcomes& all) {
  Json out = Json::array();
  for (const auto& o : all) out.push_back(o ? Json{o->ttft_p99_ns, o->requests_per_s} : Json(nullptr));
  return out;
}
WhatIf::Outcomes outcomes(const JsonReader& in) {
  WhatIf::Outcomes out;
  for (const JsonReader& o : in.items()) {
    if (o.raw().is_null())
      out.emplace_back();
    else
      out.push_back(WhatIf::Outcome{real(o[0]), real(o[1])});
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
Sensitivity sensitivity(const JsonReader& in) {
  Sensitivity out{in["basis"].text(), outcomes(in["base"]), {}};
  for (const JsonReader& w : in["changes"].items())
    out.changes.push_back({w["what"].text(), w["texts"][0].text(), w["texts"][1].text(), w["sets"][0].text(),
                           w["sets"][1].text(), outcomes(w["low"]), outcomes(w["high"]), w["note"].text()});
  return out;
}

ReportInput input_of(const JsonReader& in) {
  ReportInput out;
  out.title = in["title"].text(), out.command = in["command"].text(), out.version = in["version"].text();
  out.seed = in["seed"].text(), out.workload_name = in["workload_name"].text();
  out.resolved_yaml = in["resolved_yaml"].text();
  const JsonReader scenario = in["scenario"];
  (void)scenario.entries();  // an object it must be
  out.scenario = scenario.raw();
  for (const JsonReader& r : in["runs"].items()) out.runs.push_back(run(r));
  for (const JsonReader& s : in["slo"].items()) {
    if (const std::string key = s[0].text(); s[0].is_text() && !is_slo_key(key))
      s[0].problem(fmt::format("'{}' is no service level that this stowage knows", shown(key)));
    out.slo.push_back({s[0].text(), real(s[1])});
  }
  for (const JsonReader& b : in["budget"].items()) out.budget.push_back({b[0].text(), count(b[1]), b[2].flag()});
  out.kv_line = in["kv_line"].text(), out.ledger = in["ledger"].text();
  for (const JsonReader& c : in["cards"].items()) {
    Card card{c["title"].text(), {}};
    for (const JsonReader& f : c["facts"].items()) card.facts.push_back({f[0].text(), f[1].text()});
    out.cards.push_back(std::move(card));
  }
  out.cost_source = in["cost_source"].text();
  out.evidence = static_cast<Evidence>(in["evidence"].integer(0, static_cast<int>(Evidence::linear)));
  if (in.has("sensitivity")) out.sensitivity = sensitivity(in["sensitivity"]);
  out.notes = texts(in["notes"]);
  out.folders = texts(in.find("folders"));
  if (in.has("kind")) out.kind = in["kind"].text(), out.data = in["data"].raw();
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
  const Json json = parse_json(text, file, "a report.json that stowage wrote (run … -o writes one)");
  Problems problems;
  const JsonReader in(json, file, problems);
  if (!in.is_object() || !in.has("schema"))
    throw InputError({file, 0, 0}, "this is not a report.json that stowage wrote (run … -o writes one)");
  if (json.at("schema") != schema)
    throw InputError({file, 0, 0},
                     fmt::format("this has schema {}, and this stowage reads {}; run the scenario again",
                                 shown(json.at("schema").dump(-1, ' ', true, Json::error_handler_t::replace)), schema));
  ReportInput out = input_of(in);
  if (!problems.empty()) problems.add({file, 0, 0}, "so it is not as stowage wrote it; run the scenario again");
  problems.throw_if_any();
  return out;
}
}  // namespace stowage
