// Fixed reservation (FasterTransformer, Orca): one contiguous region for a request's whole life.
// Region: `max` = max_model_len, `pow2` = min(max_model_len, P + 2^ceil(log2 O)), `oracle` = P + O - 1
// (the PagedAttention paper's Orca (Max), (Pow2) and (Oracle), section 6.1).
#include <algorithm>
#include <bit>
#include <memory>

#include "base/error.hpp"
#include "sim/kv/manager.hpp"
#include "sim/kv/region_space.hpp"
#include "sim/kv/rows.hpp"
#include "sim/run_config.hpp"

namespace stowage {
namespace {

std::string space_of(const ManagerSpec& spec) {
  const std::string& space = spec.choice("space");
  if (!space.empty()) return space;
  return spec.choice("length") == "max" ? "slots" : "buddy";
}

enum class Length : std::uint8_t { max, pow2, oracle };
Length length_of(const ManagerSpec& spec) {
  const std::string& length = spec.choice("length");
  return length == "max" ? Length::max : length == "pow2" ? Length::pow2 : Length::oracle;
}

/// Tokens of the region of a request.
std::int64_t region_of(Length length, std::int64_t max_len, std::int64_t prompt, std::int64_t output) {
  if (length == Length::max) return max_len;
  if (length == Length::oracle) return prompt + output - 1;
  const auto room = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(output)));
  return std::min(max_len, prompt + room);
}

class Reserve final : public KvManager {
 public:
  Reserve(const RunConfig& config, const SequenceTable& table)
      : table_(table),
        length_(length_of(config.manager)),
        max_len_(config.scheduler.max_model_len),
        bpt_(config.kv.bytes_per_token.count()),
        region_(table.capacity()) {
    const std::string space = space_of(config.manager);
    const std::int64_t tokens = config.kv.pool.count() / bpt_;
    if (space == "slots") space_ = make_slots(tokens, max_len_);
    else if (space == "buddy") space_ = make_buddy(tokens, config.manager.integer("min_block"));
    else space_ = make_first_fit(tokens);
    const std::int64_t usable = tokens - space_->unusable();
    facts_ = {bpt_, usable, config.kv.pool.count() - usable * bpt_, 0};
  }

  [[nodiscard]] bool never_fits(std::int64_t prompt, std::int64_t output) const override {
    return !space_->ever_fits(region_tokens(prompt, output));
  }

  bool admit(Sid s, std::int64_t, std::int64_t now) override {
    const std::int64_t tokens = region_tokens(table_[s].request.prompt_tokens, table_[s].request.limit());
    const auto region = space_->take(tokens);
    if (!region) return false;
    region_[static_cast<std::size_t>(s)] = {*region, tokens, now};
    work_.place(s, -1, region->begin, tokens);
    growth_.held += tokens;
    round_up_ += region->taken - tokens;
    return true;
  }
  bool extend(Sid s, std::int64_t tokens, std::int64_t) override {
    STOWAGE_ASSERT(tokens <= region_[static_cast<std::size_t>(s)].tokens);
    return true;
  }

  void release(Sid s, std::int64_t now, MemoryAccount& account) override {
    const Taken& r = region_[static_cast<std::size_t>(s)];
    account.book_internal(r.since_ns, now, (r.tokens - table_.kept(s)) * bpt_);
    growth_.held -= r.tokens;
    round_up_ -= r.region.taken - r.tokens;
    space_->give_back(r.region);
    work_.release(s);
  }

  void each_extent(const std::function<void(const Extent&)>& visit) const override {
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
    return region_of(length_, max_len_, prompt, output);
  }

  const SequenceTable& table_;
  Length length_;
  std::int64_t max_len_, bpt_;
  std::unique_ptr<RegionSpace> space_;
  std::vector<Taken> region_;
};

constexpr ParamSpec params[] = {
    {"length", ParamType::choice, "max", "max pow2 oracle", 0, 0, "how much of the future is reserved at admission"},
    {"space", ParamType::choice, "", "slots buddy first-fit", 0, 0,
     "how regions are cut from the pool; slots for `max`, buddy for the others"},
    {"min_block", ParamType::tokens, "16", "", 1, 1 << 20, "smallest buddy block", "16 16 1 2 4 8 32 5"},
};
constexpr std::string_view contract_cases[] = {"length=max", "length=pow2", "length=oracle space=first-fit"};

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
constexpr FitCase fit_cases[] = {
    {"reserve max", "length=max"}, {"reserve pow2", "length=pow2"}, {"reserve oracle", "length=oracle"}};
/// By memory alone, however the space is cut: fragments and a buddy's round-up come on top.
HeldAtEnd held_at_end(const RunConfig& config, std::int64_t prompt, std::int64_t output) {
  const std::int64_t region =
      region_of(length_of(config.manager), config.scheduler.max_model_len, prompt, output);
  const std::int64_t bpt = config.kv.bytes_per_token.count();
  return {region * bpt, static_cast<double>((region - (prompt + output - 1)) * bpt)};
}
KvLayout layout(const ManagerSpec&) { return {}; }
Bytes page(const ManagerSpec&) { return Bytes{0}; }
}  // namespace

ManagerRow reserve_row() {
  return {"reserve", "contiguous region for a request's whole life (FasterTransformer, Orca)", "none", params, "",
          contract_cases, default_name, check, least_held, fit_cases, held_at_end, layout, page, true, nullptr,
          make_manager<Reserve>};
}
}  // namespace stowage
