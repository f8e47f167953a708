#include "planner/fit.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "models/cost/vmm.hpp"
#include "sim/kernel/sequence.hpp"
#include "sim/kv/manager.hpp"
#include "sim/kv/registry.hpp"
#include "sim/run_config.hpp"

namespace stowage {
namespace {
// FlashAttention-2 and FlashInfer on an A100, prefill of 4 K to 32 K tokens (vAttention, ASPLOS '25, figure 2): 1.25 to
// 1.37 times the contiguous kernel's time; kernels that copy whole pages (FlashAttention-3 with TMA): 0 to 1 %.
constexpr double slow_paging_low = 0.25, slow_paging_high = 0.37;

// The verdict answers one question: whether mapped pages pay against today's blocks.
constexpr std::string_view blocks_of_today = "paged 16", mapped_pages = "vattention 2MiB",
                           mapped_slices = "vattention 2MiB sliced";

class Fit {
 public:
  explicit Fit(const FitInput& in)
      : in_(in),
        gpus_(in.layout.gpus()),
        per_token_(in.budget.kv_bytes_per_token * gpus_),
        pool_(Bytes{std::max<std::int64_t>(0, in.budget.kv_pool.count())} * gpus_) {
    config_.scheduler.max_model_len = in.max_model_len;
    const auto stages = pipeline_layers(in.model.layers, in.layout.pipeline);
    config_.kv = {pool_, per_token_, stages[static_cast<std::size_t>(in.budget.stage)], gpus_};
  }

  FitReport report() {
    FitReport out;
    out.pool = pool_;
    out.pool_tokens = floor_div(pool_, per_token_);
    const std::string unpriced = in_.model.unsimulated();
    for (const ManagerRow& row : managers())
      for (const FitCase& c : row.fit_cases) {
        FitManager m = count(row, c, unpriced.empty());
        if (!m.mapped || unpriced.empty()) out.managers.push_back(std::move(m));
      }
    if (unpriced.empty())
      verdict(out);
    else
      out.verdict.push_back(fmt::format("No verdict on mapped pages: {}.", unpriced));
    return out;
  }

 private:
  FitManager count(const ManagerRow& row, const FitCase& one, bool priced) {
    FitManager m;
    m.name = one.name;
    config_.manager = manager_spec(row, one.settings);
    m.mapped = row.page(config_.manager).count() > 0;
    std::int64_t unit = 0;
    if (m.mapped) {
      unit = facts(row).unit_bytes;
      m.mapping.page = row.page(config_.manager);
      m.mapping.tensors = facts(row).pages_per_unit;
      m.mapping.tokens_per_page = unit / per_token_.count();
      if (m.mapping.tokens_per_page < 1 || !priced) return m;  // nothing fits, or nothing is known
    }
    const auto held = [&](const FitLength& l) { return row.held_at_end(config_, l.prompt, l.output); };
    const std::int64_t state = in_.model.state_bytes_per_sequence(in_.layout.tensor).count() * in_.layout.tensor;
    const auto fits = [&](const FitLength& l) { return pool_.count() / (held(l).bytes + state); };
    m.p50 = fits(in_.p50);
    m.p95 = fits(in_.p95);
    m.max = fits(in_.max);
    m.waste_bytes = held(in_.p50).unused_bytes;
    if (m.mapped) map(m, pool_.count() / unit, held(in_.p50).bytes / unit);
    return m;
  }

  [[nodiscard]] KvManager::Facts facts(const ManagerRow& row) const {
    const SequenceTable nobody(1);
    return row.make(config_, nobody)->facts();
  }

  /// A pool of `blocks`, of which the median request takes `need`.
  void map(FitManager& m, std::int64_t blocks, std::int64_t need) const {
    auto& map = m.mapping;
    map.live_mappings = blocks * map.tensors;
    const VmmCost vmm = vmm_cost(in_.hardware, map.page);
    map.source = vmm.source;
    map.requests_per_s = requests_per_s(m.p50);
    const double calls = vmm.set_access_ns > 0 ? 2 : 1;
    map.calls_per_s = map.requests_per_s * static_cast<double>(need * map.tensors) * calls;
    map.driver_calls_per_s = calls * 1e9 / (vmm.map_ns + vmm.set_access_ns);
  }

  /// Of median requests, as many at once as fit: a request waits for its O decode steps and everybody's prefills.
  [[nodiscard]] double requests_per_s(std::int64_t fitting) const {
    const std::int64_t batch = std::clamp<std::int64_t>(fitting, 0, in_.max_batch);
    if (batch == 0) return 0;
    const double cycle_ns =
        static_cast<double>(in_.p50.output) * decode_ns(batch) + static_cast<double>(batch) * prefill_ns();
    const double rate = static_cast<double>(batch) / cycle_ns * 1e9;
    return in_.arrivals_per_s > 0 ? std::min(rate, in_.arrivals_per_s) : rate;
  }
  [[nodiscard]] double decode_ns(std::int64_t batch) const {
    const std::int64_t context = in_.p50.prompt + in_.p50.output / 2;
    return in_.cost.ns({0, batch, batch * context, 0});
  }
  /// In chunks of what the price table holds.
  [[nodiscard]] double prefill_ns(double* attention = nullptr) const {
    const auto chunk = static_cast<std::int64_t>(in_.cost.table().dense_ns.size()) - 1;
    double ns = 0, in_attention = 0;
    for (std::int64_t done = 0; done < in_.p50.prompt; done += chunk) {
      const std::int64_t q = std::min(chunk, in_.p50.prompt - done);
      const double own = in_.cost.chunk_ns(q, done);
      ns += in_.cost.ns({q, 0, 0, own});
      in_attention += own;
    }
    if (attention != nullptr) *attention = in_attention;
    return ns;
  }

  void verdict(FitReport& out) const {
    const auto find = [&](std::string_view name) -> const FitManager& {
      const auto it = std::ranges::find(out.managers, name, &FitManager::name);
      STOWAGE_ASSERT(it != out.managers.end());
      return *it;
    };
    const FitManager &paged = find(blocks_of_today), &large = find(mapped_pages), &sliced = find(mapped_slices);
    auto& say = out.verdict;
    if (paged.p50 == 0) {
      say.push_back(
          "Not one median request fits, and no manager mends that; use more GPUs, a smaller model or shorter "
          "requests.");
      return;
    }
    // On average over lengths near the median: what is stored, and the manager's waste.
    const double stored = static_cast<double>((per_token_ * in_.p50.stored()).count());
    const auto held = [&](const FitManager& m) {
      const auto n = static_cast<std::int64_t>(static_cast<double>(pool_.count()) / (stored + m.waste_bytes));
      return std::clamp<std::int64_t>(n, 1, in_.max_batch);
    };
    const auto lost = [&](const FitManager& m) {
      return std::max(0.0, 1 - static_cast<double>(held(m)) / static_cast<double>(held(paged)));
    };
    double attention = 0;
    const double prefill = prefill_ns(&attention);
    const double request =
        prefill + static_cast<double>(in_.p50.output) * decode_ns(held(paged)) / static_cast<double>(held(paged));
    const double share = request > 0 ? attention / request : 0;
    say.push_back(
        fmt::format("Pages of 2 MiB in {} tensors waste {:.1f} MiB a request, {:.0f} times a half block of 16; "
                    "on average {} requests of about the median length run at once instead of {} ({:.1f} % fewer), "
                    "sliced {} ({:.1f} % fewer).",
                    large.mapping.tensors * gpus_, large.waste_bytes / 1048576, large.waste_bytes / paged.waste_bytes,
                    held(large), held(paged), 100 * lost(large), held(sliced), 100 * lost(sliced)));
    say.push_back(
        fmt::format("Prefill attention, where contiguous memory helps, is {:.1f} % of a median request's GPU "
                    "time ({}): {:.1f} to {:.1f} % to gain over paged kernels that are 25 to 37 % slower "
                    "(FlashAttention-2 and FlashInfer on A100), at most {:.2f} % over kernels that copy whole "
                    "pages (FlashAttention-3); decode gains nothing measurable.",
                    100 * share, in_.calibrated ? "measured prices" : "spec-sheet prices",
                    100 * share * slow_paging_low, 100 * share * slow_paging_high, share));
    const FitManager& best = lost(sliced) < lost(large) ? sliced : large;
    const double gain = share * slow_paging_low;
    if (gain <= lost(best) || gain < 0.01)
      say.push_back(
          fmt::format("vAttention does not pay here: at best {:.1f} % of time is won and {:.1f} % of the batch "
                      "is lost.",
                      100 * share * slow_paging_high, 100 * lost(best)));
    else
      say.push_back(
          fmt::format("vAttention pays here if your paged kernels are the slow ones (about {:.1f} to {:.1f} % "
                      "of time against {:.1f} % of the batch); with kernels that copy whole pages it does not.",
                      100 * gain, 100 * share * slow_paging_high, 100 * lost(best)));
    const auto& map = large.mapping;
    say.push_back(fmt::format(
        "Mapping 2 MiB pages needs at most {:.0f} driver calls/s a GPU of the {:.0f} it can make "
        "({:.1f} %){}.",
        map.calls_per_s, map.driver_calls_per_s, 100 * map.calls_per_s / map.driver_calls_per_s,
        map.calls_per_s > map.driver_calls_per_s ? ": it cannot keep up; slice the tensors or keep pages mapped" : ""));
    for (const auto& m : out.managers)
      if (m.mapped && m.mapping.live_mappings > live_mappings_max)
        say.push_back(fmt::format("{} would need {} live mappings a GPU, more than the about {} a process may have.",
                                  m.name, m.mapping.live_mappings, live_mappings_max));
  }

  const FitInput& in_;
  std::int64_t gpus_;
  Bytes per_token_, pool_;
  RunConfig config_;  // its manager is the one counted
};
}  // namespace

FitReport fit(const FitInput& input) { return Fit(input).report(); }
}  // namespace stowage
