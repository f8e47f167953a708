// Fixed reservation (FasterTransformer, Orca): one contiguous region for a request's whole life.
// Region: `max` = max_model_len, `pow2` = min(max_model_len, P + 2^ceil(log2 O)), `oracle` = P + O - 1
// (the PagedAttention paper's Orca (Max), (Pow2) and (Oracle), section 6.1).
#include <algorithm>
#include <bit>
#include <memory>

#include "base/error.hpp"
#include "sim/kv/manager_calls.hpp"
#include "sim/kv/policy.hpp"
#include "sim/kv/rows.hpp"
#include "sim/serve/cluster.hpp"

namespace stowage {
namespace {

std::string space_of(const ManagerSpec& spec) {
  const std::string& space = spec.choice("space");
  if (!space.empty()) return space;
  return spec.choice("length") == "max" ? "slots" : "buddy";
}

class Reserve final {
 public:
  Reserve(const RunConfig& config, const SequenceTable& table)
      : table_(table),
        length_(config.manager.choice("length")),
        max_len_(config.scheduler.max_model_len),
        bpt_(config.kv.bytes_per_token.count()),
        pool_tokens_(config.kv.pool.count() / bpt_),
        region_(table.capacity()) {
    const std::string space = space_of(config.manager);
    if (space == "slots") space_ = make_slots(pool_tokens_, max_len_);
    else if (space == "buddy") space_ = make_buddy(pool_tokens_, config.manager.integer("min_block"));
    else space_ = make_first_fit(pool_tokens_);
    rounding_ = config.kv.pool.count() - (pool_tokens_ - space_->unusable()) * bpt_;
  }

  [[nodiscard]] std::int64_t rounding_bytes() const { return rounding_; }
  [[nodiscard]] std::int64_t pool_tokens() const { return pool_tokens_ - space_->unusable(); }
  [[nodiscard]] std::int64_t unit_bytes() const { return bpt_; }
  [[nodiscard]] std::int64_t held_units() const { return held_; }
  [[nodiscard]] Occupancy occupancy() const { return {held_ * bpt_, 0, round_up_ * bpt_}; }
  [[nodiscard]] bool never_fits(std::int64_t prompt, std::int64_t output) const {
    return !space_->ever_fits(region_tokens(prompt, output));
  }

  bool admit(Sid s, std::int64_t, std::int64_t now) {
    const std::int64_t tokens = region_tokens(table_[s].request.prompt_tokens, table_[s].request.output_tokens);
    const auto region = space_->take(tokens);
    if (!region) return false;
    region_[static_cast<std::size_t>(s)] = {*region, tokens, now};
    if (log_ != nullptr) log_->place(s, -1, region->begin, tokens);
    held_ += tokens;
    round_up_ += region->taken - tokens;
    return true;
  }
  bool extend(Sid s, std::int64_t tokens, std::int64_t) {
    STOWAGE_ASSERT(tokens <= region_[static_cast<std::size_t>(s)].tokens);
    return true;
  }
  bool extend_decoders(std::int64_t) { return true; }
  void begin_needy() {}
  Sid next_needy() { return no_sid; }
  void start_decoding(Sid) {}

  void release(Sid s, std::int64_t now, MemoryAccount& account) {
    const Taken& r = region_[static_cast<std::size_t>(s)];
    account.book_internal(r.since_ns, now, (r.tokens - table_.stored(s)) * bpt_);
    held_ -= r.tokens;
    round_up_ -= r.region.taken - r.tokens;
    space_->give_back(r.region);
  }

  std::int64_t begin_iteration(std::int64_t, Sid) { return 0; }
  void end_iteration(std::int64_t) {}
  void idle(std::int64_t) {}
  [[nodiscard]] std::int64_t quiet_until() const { return RingCalendar::never; }
  [[nodiscard]] StillStretch stretch() const { return {held_}; }
  void end_stretch(const StillStretch&) {}
  DriverCalls finish_driver_work() { return {}; }
  void log_to(MemoryLog& log) { log_ = &log; }
  [[nodiscard]] DriverCalls driver_calls() const { return {}; }
  template <class Visit>
  void each_extent(Visit visit) const {
    for (Sid s = 0; s < static_cast<Sid>(region_.size()); ++s) {
      const Region& r = region_[static_cast<std::size_t>(s)].region;
      if (table_[s].running) visit(Extent{r.begin * bpt_, r.taken * bpt_, s});
    }
  }

 private:
  struct Taken {
    Region region;
    std::int64_t tokens = 0, since_ns = 0;
  };
  [[nodiscard]] std::int64_t region_tokens(std::int64_t prompt, std::int64_t output) const {
    if (length_ == "max") return max_len_;
    if (length_ == "oracle") return prompt + output - 1;
    const auto room = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(output)));
    return std::min(max_len_, prompt + room);
  }

  const SequenceTable& table_;
  std::string length_;
  std::int64_t max_len_, bpt_, pool_tokens_, rounding_ = 0;
  std::unique_ptr<RegionSpace> space_;
  std::vector<Taken> region_;
  MemoryLog* log_ = nullptr;  // of a real run
  std::int64_t held_ = 0, round_up_ = 0;  // tokens
};
static_assert(KvPolicy<Reserve>);

constexpr ParamSpec params[] = {
    {"length", ParamType::choice, "max", "max pow2 oracle", 0, 0, "how much of the future is reserved at admission"},
    {"space", ParamType::choice, "", "slots buddy first-fit", 0, 0,
     "how regions are cut from the pool; slots for `max`, buddy for the others"},
    {"min_block", ParamType::tokens, "16", "", 1, 1 << 20, "smallest buddy block"},
};

std::string default_name(const ManagerSpec& spec) {
  std::string name = "reserve-" + spec.choice("length");
  const bool usual = space_of(spec) == (spec.choice("length") == "max" ? "slots" : "buddy");
  return usual ? name : name + "-" + space_of(spec);
}

void check(const RunConfig& config) {
  const ManagerSpec& m = config.manager;
  const std::string space = space_of(m);
  if (space == "slots" && m.choice("length") != "max")
    throw InputError({}, "'space: slots' needs 'length: max' (slots are all alike); use buddy or first-fit");
  const std::int64_t tokens = config.kv.pool.count() / config.kv.bytes_per_token.count();
  const std::int64_t least = space == "slots"   ? config.scheduler.max_model_len
                             : space == "buddy" ? m.integer("min_block")
                                                : 1;
  if (tokens < least)
    throw InfeasibleError("the KV pool holds " + std::to_string(tokens) + " tokens, less than one region of " +
                          std::to_string(least) + "; give it more memory or lower max_model_len");
}
LeastHeld least_held(const RunConfig& config) {
  return {1, config.manager.choice("length") == "max" ? config.scheduler.max_model_len : 0, true};
}
}  // namespace

ManagerRow reserve_row() {
  return {"reserve", "contiguous region for a request's whole life (FasterTransformer, Orca)", "none",
          params,    default_name, check, least_held, run_serving<Reserve>, make_calls<Reserve>};
}
}  // namespace stowage
