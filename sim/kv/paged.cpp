#include "sim/kv/paged.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.hpp"
#include "sim/kv/rows.hpp"

namespace stowage {

Paged::Paged(const RunConfig& config, const SequenceTable& table)
    : table_(table),
      per_block_(config.manager.integer("block_size")),
      size_(per_block_.size()),
      token_bytes_(config.kv.bytes_per_token.count()),
      block_bytes_(size_ * token_bytes_),
      blocks_(config.kv.pool.count() / block_bytes_),
      admit_full_(config.scheduler.admit_full),
      // floor of the double product, S8.5
      watermark_(static_cast<std::int64_t>(config.manager.fraction("watermark") * static_cast<double>(blocks_))),
      count_(static_cast<std::size_t>(size_), 0),
      classes_(static_cast<std::size_t>(size_)),
      state_(table.capacity()),
      boundary_ns_(std::bit_ceil(static_cast<std::uint64_t>(size_) + 1), 0) {
  growth_ = {.units = blocks_,
             .need = count_.data(),
             .size = count_.size(),
             .taken_ns = boundary_ns_.data(),
             .mask = boundary_ns_.size() - 1};
  facts_ = {block_bytes_, blocks_ * size_, config.kv.pool.count() - blocks_ * block_bytes_, 0};
}

bool Paged::never_fits(std::int64_t prompt, std::int64_t output) const { return need(prompt + output - 1) > blocks_; }

bool Paged::admit(Sid s, std::int64_t tokens, std::int64_t now) {
  const std::int64_t spare = table_.running() > 0 ? growth_.free() - watermark_ : growth_.free();
  const std::int64_t take = need(tokens);
  if (take > spare || (admit_full_ && need(table_[s].target()) > spare)) return false;
  admitted(s, take, now);
  growth_.held += take;
  return true;
}

/// For a request whose prompt is not done, or one decoder of the class that crosses at this boundary.
bool Paged::extend(Sid s, std::int64_t tokens, std::int64_t now) {
  const std::int64_t take = missing(s, tokens);
  if (take > growth_.free()) return false;
  growth_.held += take;
  extended(s, take, now);
  return true;
}

std::int64_t Paged::missing(Sid s, std::int64_t tokens) const {
  const std::int64_t held = table_[s].decoding ? need(tokens - 1) : state(s).blocks;
  return std::max<std::int64_t>(0, need(tokens) - held);
}

std::int64_t Paged::blocks_of(Sid s) const {
  return table_[s].decoding || table_[s].retired ? need(table_.scheduled(s)) : state(s).blocks;
}

void Paged::extended(Sid s, std::int64_t blocks, std::int64_t now) {
  if (table_[s].decoding) return growth_.mark(now);
  if (blocks == 0) return;
  State& st = state(s);
  st.before_since_ns = st.block_since_ns;
  st.blocks += blocks;
  st.block_since_ns = now;
}

void Paged::begin_needy() {
  growth_.reach(table_.lane_clock());
  needy_.clear();
  for (Sid s = classes_[growth_.phase].head; s != no_sid; s = state(s).next) needy_.push_back(s);
  // Handed out from the back, in running order.
  std::sort(needy_.begin(), needy_.end(), [&](Sid a, Sid b) { return table_[a].order > table_[b].order; });
}

Sid Paged::next_needy(std::int64_t order) {
  while (!needy_.empty()) {
    const Sid s = needy_.back();
    if (table_[s].running && table_[s].order >= order) return no_sid;
    needy_.pop_back();
    if (table_[s].running) return s;
  }
  return no_sid;
}

void Paged::start_decoding(Sid s) {
  growth_.reach(table_.lane_clock());
  // Crosses at boundaries where anchor + clock is a multiple of the block size.
  const std::int64_t next = table_.lane_clock() + 1;
  const auto to_crossing = static_cast<std::size_t>(per_block_.rest(size_ - per_block_.rest(table_[s].anchor + next)));
  std::size_t c = growth_.phase + 1 + to_crossing;
  while (c >= classes_.size()) c -= classes_.size();
  Class& k = classes_[c];
  State& st = state(s);
  st.residue = static_cast<std::int64_t>(c);
  st.prev = k.tail;
  st.next = no_sid;
  (k.tail != no_sid ? state(k.tail).next : k.head) = s;
  k.tail = s;
  ++count_[c];
}

void Paged::leave_class(State& st) {
  Class& k = classes_[static_cast<std::size_t>(st.residue)];
  (st.prev != no_sid ? state(st.prev).next : k.head) = st.next;
  (st.next != no_sid ? state(st.next).prev : k.tail) = st.prev;
  --count_[static_cast<std::size_t>(st.residue)];
  st.residue = -1;
}

void Paged::release(Sid s, std::int64_t now, MemoryAccount& account) {
  growth_.held -= need(table_.stored(s));
  left(s, now, account);
}

void Paged::left(Sid s, std::int64_t now, MemoryAccount& account) {
  const std::int64_t stored = table_.stored(s), kept = table_.kept(s);
  State& st = state(s);
  const std::int64_t blocks = need(stored);
  std::int64_t since = st.block_since_ns;
  if (blocks > st.blocks) {
    // The last block came at the boundary whose iteration stored the block's first token, a decode.
    const std::int64_t first_token = (blocks - 1) * size_;
    since = boundary_ns_[static_cast<std::uint64_t>(first_token - table_[s].anchor) & growth_.mask];
  }
  if (st.residue >= 0) leave_class(st);
  const std::int64_t full = need(kept);
  if (blocks > full && full * size_ != kept) {  // a chunk in flight took what comes after the block of the last one
    account.book_internal(st.before_since_ns, now, (full * size_ - kept) * token_bytes_);
    account.book_internal(since, now, (blocks - full) * block_bytes_);
  } else {
    account.book_internal(since, now, (blocks * size_ - kept) * token_bytes_);
  }
  st = State{};
  work_.release(s);
}

void Paged::each_extent(const std::function<void(const Extent&)>& visit) const {
  for (Sid s = 0; s < static_cast<Sid>(state_.size()); ++s)
    if (table_[s].running) visit(Extent{-1, blocks_of(s) * block_bytes_, s});
}

namespace {
constexpr ParamSpec params[] = {
    {"block_size", ParamType::tokens, "16", "", 1, 65536, "tokens of one KV block", "1 2 3 4 7 8 16 16 32 64 300"},
    {"watermark", ParamType::fraction, "0", "", 0, 1, "share of the blocks kept free at admission (vLLM v0: 0.01)",
     "0 0 0.01 0.17 0.3"},
    {"prefix_caching", ParamType::flag, "false", "", 0, 0,
     "whole blocks stay findable until they are taken, for prompts that begin alike", "false true",
     "false, or the engine's"},
    {"free_order", ParamType::choice, "nameless_first", "nameless_first as_freed", 0, 0,
     "with prefix caching: whether freed blocks without content are taken first (vLLM since 0.24)",
     "nameless_first nameless_first as_freed", "nameless_first, or the engine's"},
};
constexpr std::string_view contract_cases[] = {"block_size=16", "block_size=7 watermark=0.1",
                                               "block_size=7 prefix_caching=true"};

std::string default_name(const ManagerSpec& spec) { return "paged-" + std::to_string(spec.integer("block_size")); }

std::int64_t block_bytes(const RunConfig& config) {
  return config.manager.integer("block_size") * config.kv.bytes_per_token.count();
}
void check(const RunConfig& config) {
  const std::int64_t block = block_bytes(config);
  if (config.kv.pool.count() < block)
    throw InfeasibleError("the KV pool of " + std::to_string(config.kv.pool.count()) +
                          " bytes holds not one block of " + std::to_string(block) +
                          " bytes; give it more memory or a smaller block_size");
}
LeastHeld least_held(const RunConfig& config) { return {config.manager.integer("block_size")}; }
constexpr FitCase fit_cases[] = {{"paged 16", "block_size=16"},   {"paged 32", "block_size=32"},
                                 {"paged 64", "block_size=64"},   {"paged 128", "block_size=128"},
                                 {"paged 256", "block_size=256"}};
/// Of the last block half is unused, less half a token.
HeldAtEnd held_at_end(const RunConfig& config, std::int64_t prompt, std::int64_t output) {
  const std::int64_t block = config.manager.integer("block_size");
  return {(prompt + output - 1 + block - 1) / block * block_bytes(config),
          static_cast<double>(config.kv.bytes_per_token.count() * (block - 1)) / 2};
}
KvLayout layout(const ManagerSpec& spec) { return {spec.integer("block_size"), false}; }
Bytes page(const ManagerSpec&) { return Bytes{0}; }
/// A pool given outright is one that no utilization leads to.
std::string vllm_flags(const RunConfig& config, bool pool_given) {
  const std::int64_t block = config.manager.integer("block_size");
  std::string out = " --block-size " + std::to_string(block);
  if (pool_given)
    out += " --num-gpu-blocks-override " +
           std::to_string(config.kv.pool.count() / config.kv.bytes_per_token.count() / block);
  return out;
}
std::unique_ptr<KvManager> make(const RunConfig& config, const SequenceTable& table) {
  if (config.manager.flag("prefix_caching")) return make_prefix_paged(config, table);
  return std::make_unique<Paged>(config, table);
}
}  // namespace

ManagerRow paged_row() {
  return {"paged", "block pool and block tables (PagedAttention, vLLM)", "vllm, trt-llm", params, "block_size",
          contract_cases, default_name, check, least_held, fit_cases, held_at_end, layout, page, true, vllm_flags,
          make};
}
}  // namespace stowage
