#include "tests/differential/random_rows.hpp"

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "sim/kernel/sequence.hpp"
#include "sim/kv/manager.hpp"
#include "sim/kv/registry.hpp"
#include "sim/sched/scheduler.hpp"

namespace stowage {
namespace {

std::vector<std::string_view> words(std::string_view list) {
  std::vector<std::string_view> out;
  while (!list.empty()) {
    out.push_back(list.substr(0, list.find(' ')));
    list.remove_prefix(std::min(list.size(), out.back().size() + 1));
  }
  return out;
}

/// A value that nobody thought of.
std::string any_value(Dice& dice, const ParamSpec& p) {
  const std::int64_t size = std::int64_t{1} << dice.in(0, 20);
  switch (p.type) {
    case ParamType::bytes: return std::to_string(size + dice.in(0, size)) + "B";
    case ParamType::fraction: return std::to_string(p.min + dice.unit() * (p.max - p.min) / 3);
    case ParamType::tokens:
    case ParamType::count: return std::to_string(dice.in(static_cast<std::int64_t>(p.min), p.max > 300 ? 300 : 16));
    case ParamType::flag: return dice.chance(50) ? "true" : "false";
    case ParamType::choice: break;
  }
  return std::string(p.fallback);
}

/// "page=64B mapping=sync ...": a value of every parameter.
std::string random_settings(Dice& dice, const ManagerRow& row) {
  std::string out;
  for (const ParamSpec& p : row.params) {
    std::vector<std::string_view> values = words(p.trials.empty() ? p.choices : p.trials);
    if (values.empty()) values.push_back(p.fallback);
    const bool any = p.type != ParamType::choice && dice.chance(35);
    const std::string value = any ? any_value(dice, p) : std::string(dice.one_of(std::span(values)));
    out += (out.empty() ? "" : " ") + std::string(p.name) + "=" + value;
  }
  return out;
}

enum class Sound : std::uint8_t { yes, too_small, never };
Sound sound(const ManagerRow& row, RunConfig& config, std::int64_t pool) {
  config.kv.pool = Bytes{pool};
  try {
    row.check(config);
    return Sound::yes;
  } catch (const InfeasibleError&) { return Sound::too_small; } catch (const InputError&) { return Sound::never; }
}

/// The least pool that the manager takes; none = these settings do not go together.
std::optional<std::int64_t> least_pool(const ManagerRow& row, RunConfig config) {
  std::int64_t low = 0, high = std::int64_t{1} << 46;  // too small, and enough
  if (sound(row, config, high) != Sound::yes) return std::nullopt;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (sound(row, config, middle) == Sound::yes ? high : low) = middle;
  }
  return high;
}

const ManagerRow& random_row(Dice& dice) {
  std::int64_t sum = 0;  // a manager with more settings has more to try
  for (const ManagerRow& row : managers()) sum += std::ssize(row.params) + 1;
  std::int64_t x = dice.in(0, sum - 1);
  for (const ManagerRow& row : managers())
    if ((x -= std::ssize(row.params) + 1) < 0) return row;
  return managers().front();
}
}  // namespace

void please_policy(SchedulerConfig& config) {
  const SchedulerRow* row = find_scheduler(config.policy);
  STOWAGE_ASSERT(row != nullptr);
  SchedulerConfig c = config;
  for (const bool chunks : {config.chunked_prefill, !config.chunked_prefill}) {
    c.chunked_prefill = chunks;
    for (c.max_batched_tokens = config.max_batched_tokens; c.max_batched_tokens < 1 << 30; c.max_batched_tokens *= 2) {
      if (!row->check(c).empty()) continue;
      config = c;
      return;
    }
  }
  STOWAGE_ASSERT(false);  // a policy that refuses something else: let it be drawn otherwise
}

void random_policy(Dice& dice, SchedulerConfig& config) {
  const auto rows = schedulers();
  const SchedulerRow& row = dice.chance(55) ? rows.front() : dice.one_of(rows.subspan(rows.size() > 1 ? 1 : 0));
  config.policy = row.name;
  config.chunked_prefill = row.chunks && dice.chance(75);
  please_policy(config);
}

std::int64_t random_manager(Dice& dice, RunConfig& config, bool walked) {
  const ManagerRow& row = random_row(dice);
  for (int i = 0; i < 1000; ++i) {
    config.manager = manager_spec(row, random_settings(dice, row));
    config.manager.name = config.manager.kind;
    const auto least = least_pool(row, config);
    if (!least) continue;
    const std::int64_t tokens = *least / config.kv.bytes_per_token.count();
    // Most requests of a scenario outgrow a unit.
    const bool large = !row.granule.empty() && (tokens > 4000 || (tokens > 64 && dice.chance(70)));
    const bool many = walked && !row.granule.empty() && row.page(config.manager).count() == 0 && tokens < 16;
    if (!large && !many) return *least;
  }
  STOWAGE_ASSERT(false);  // the row's trials never go together with a small geometry
  return 0;
}

std::int64_t mapped_tensors(const RunConfig& config) {
  const ManagerRow& row = row_of(config.manager);
  if (row.page(config.manager).count() == 0) return 0;
  const SequenceTable table(config.scheduler.max_batch);
  return row.make(config, table)->facts().pages_per_unit;
}
}  // namespace stowage
