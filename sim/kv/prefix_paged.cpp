// `paged` with automatic prefix caching, as vLLM has it (semantics S16): who is admitted finds the leading blocks of
// its prompt that someone before it computed, and blocks that nobody holds stay findable until they are taken.
//
// Decoders take blocks, and complete them, without being asked. Both are written down when it matters: the blocks when
// something else touches the pool, their content when they are released, or looked up by a turn of the same session.
#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "sim/kv/paged.hpp"
#include "sim/kv/prefix_cache.hpp"

namespace stowage {
namespace {

FreeOrder free_order(const RunConfig& config) {
  return config.manager.choice("free_order") == "as_freed" ? FreeOrder::as_freed : FreeOrder::unnamed_first;
}

class PrefixPaged final : public Paged {
 public:
  PrefixPaged(const RunConfig& config, const SequenceTable& table)
      : Paged(config, table),
        cache_(blocks_, 1, free_order(config)),
        // S16.12: vLLM counts its null block
        reserve_(static_cast<std::int64_t>(config.manager.fraction("watermark") * static_cast<double>(blocks_ + 1))),
        on_the_way_(config.scheduler.async_scheduling ? 1 : 0),
        evicts_last_(free_order(config) == FreeOrder::unnamed_first),
        seats_(table.capacity()) {
    finds_prefixes_ = true;
    refresh();
  }

  void read_contents(const RequestStream& stream) override { stream_ = &stream; }
  void write_down_growth() override { settle(); }

  /// S16.7, S16.8.
  std::int64_t lookup(const Request& r, std::int64_t known) override {
    settle();
    describe(r, true);
    hit_ = cache_.find(head_.content, per_block_.floor(known - 1));
    looked_up_ = true;
    return hit_.blocks * size_;
  }

  /// Of the head of waiting nothing is remembered but whom it waits for.
  std::int64_t hit(const Request& r, bool behind) override {
    const bool head_waits = waits_for_resident_;
    settle();
    describe(r, behind);
    waits_for_resident_ = head_waits;
    looked_up_ = false;
    return cache_.find(head_.content, per_block_.floor(r.prompt_tokens - 1)).blocks * size_;
  }

  /// S16.10 to S16.15.
  bool admit(Sid s, std::int64_t tokens, std::int64_t now) override {
    settle();
    const std::int64_t found = per_block_.floor(table_[s].computed);
    if (!looked_up_) {
      describe(table_[s].request, true);
      hit_ = {};
    }
    looked_up_ = false;
    STOWAGE_ASSERT(found == hit_.blocks);
    const std::int64_t spare = cache_.free() - (table_.running() > 0 ? reserve_ : 0) - hit_.idle + found;
    if (need(tokens) > spare || (admit_full_ && need(table_[s].target()) > spare)) return false;
    Seat& seat = seats_[static_cast<std::size_t>(s)];
    std::swap(seat, head_);
    if (found > 0) cache_.hold(seat.holder, seat.content, found);
    work_.share(s, found);
    take(seat, need(tokens) - found);
    if (shares(s)) name(s, seat, per_block_.floor(tokens));
    admitted(s, need(tokens), now);
    if (table_[s].request.content >= 0) residents_[table_[s].request.id] = s;
    refresh();
    return true;
  }

  bool extend(Sid s, std::int64_t tokens, std::int64_t now) override {
    settle();
    const std::int64_t blocks = missing(s, tokens);
    if (blocks > cache_.free()) return false;
    if (table_[s].decoding) {
      take(blocks);
    } else {
      Seat& seat = seats_[static_cast<std::size_t>(s)];
      for (const BlockContent::Turn& turn : seat.turns)  // who wrote a block first is found first
        if (const auto r = residents_.find(turn.owner); r != residents_.end() && r->second != s)
          name_written(r->second, table_.entitled(r->second));
      take(seat, blocks);
      if (shares(s)) name(s, seat, per_block_.floor(tokens));
    }
    extended(s, blocks, now);
    refresh();
    return true;
  }

  /// S16.4, S16.5, S17.10.
  void release(Sid s, std::int64_t now, MemoryAccount& account) override {
    settle();
    const Sequence& q = table_[s];
    Seat& seat = seats_[static_cast<std::size_t>(s)];
    const std::int64_t stored = table_.stored(s);
    // The blocks of a prompt have their names when it is scheduled, those of outputs when these are known.
    const std::int64_t known = q.decoding || q.retired ? std::max(q.target(), table_.kept(s)) : stored;
    if (q.retired && seat.holder.named == 0 && !shares(s)) {
      cache_.adopt(seat.holder, need(stored) - seat.holder.blocks);
      work_.name(s, need(stored), per_block_.floor(known));
      cache_.discard(seat.holder, per_block_.floor(known));
    } else {
      name_known(s, need(stored), known);
      cache_.release(seat.holder);
    }
    if (table_[s].request.content >= 0) residents_.erase(table_[s].request.id);
    left(s, now, account);
    refresh();
  }

  /// A head that waits for what someone who runs has yet to write may find more at the next boundary.
  [[nodiscard]] std::int64_t quiet_until() const override {
    return waits_for_resident_ ? table_.lane_clock() - 1 : Paged::quiet_until();
  }

  /// What is shared counts for one of its holders.
  void each_extent(const std::function<void(const Extent&)>& visit) const override {
    std::int64_t surplus = shared_;
    for (Sid s = 0; s < static_cast<Sid>(seats_.size()); ++s) {
      if (!table_[s].running) continue;
      const std::int64_t blocks = blocks_of(s), elsewhere = std::min(surplus, blocks);
      surplus -= elsewhere;
      if (blocks > elsewhere) visit(Extent{-1, (blocks - elsewhere) * block_bytes_, s});
    }
    if (cached_ > 0) visit(Extent{-1, cached_ * block_bytes_, no_sid});
  }

 private:
  struct Seat {
    BlockContent content;
    std::vector<std::uint64_t> units;  // where its hashes are not units
    std::vector<BlockContent::Turn> turns;
    PrefixCache::Holder holder;
  };

  /// Decoders grow by blocks that have no content; the rest of the free list is evicted first.
  bool make_room(std::int64_t blocks) override {
    settle();
    if (blocks > cache_.free()) return false;
    take(blocks);
    refresh();
    growth_.held -= blocks;  // they are taken right away
    return true;
  }

  /// What decoders took since the books were last written.
  void settle() {
    if (growth_.held == known_held_) return;
    take(growth_.held - known_held_);
    refresh();
  }
  void refresh() {
    growth_.held = known_held_ = blocks_ - cache_.free();
    growth_.units = growth_.held + cache_.unnamed_first();
    growth_.evictable = evicts_last_ ? cache_.idle() : 0;
    cached_ = cache_.idle();
    shared_ = cache_.surplus();
  }
  void take(std::int64_t blocks) {
    cache_.take(blocks);
    work_.take(blocks);
  }
  void take(Seat& seat, std::int64_t blocks) {
    take(blocks);
    cache_.adopt(seat.holder, blocks);
  }
  void name(Sid s, Seat& seat, std::int64_t blocks) {
    cache_.name(seat.holder, seat.content, blocks);
    work_.name(s, seat.holder.blocks, blocks);
  }
  /// s has been given `tokens`, and stays (S16.14, S17.9). The blocks of its prompt have their names.
  void name_written(Sid s, std::int64_t tokens) {
    if (!table_[s].decoding && !table_[s].retired) return;
    const PrefixCache::Holder& holder = seats_[static_cast<std::size_t>(s)].holder;
    const std::int64_t known = tokens - on_the_way_;
    if (need(tokens) > holder.blocks || per_block_.floor(known) > holder.named) name_known(s, need(tokens), known);
  }
  /// Others may begin as this one does. Whoever does not share is looked up only by himself, when he was preempted: his
  /// blocks get their names then.
  [[nodiscard]] bool shares(Sid s) const { return table_[s].request.content >= 0; }
  /// s has so many blocks, and of its tokens so many are known.
  void name_known(Sid s, std::int64_t blocks, std::int64_t known) {
    Seat& seat = seats_[static_cast<std::size_t>(s)];
    cache_.adopt(seat.holder, blocks - seat.holder.blocks);
    name(s, seat, std::max(seat.holder.named, per_block_.floor(known)));
  }

  /// S15.5, S15.6: into head_. `granted`: residents have their tokens of the step that the clock does not count yet.
  void describe(const Request& r, bool granted) {
    const PromptContent prompt = stream_ != nullptr ? stream_->content(r) : PromptContent{};
    head_.content.units = {};
    head_.content.unit_blocks = 0;
    head_.units.clear();
    if (!prompt.hashes.empty()) units_of(prompt, r.prompt_tokens);
    head_.turns.clear();
    waits_for_resident_ = false;
    for (const PromptContent::Turn& turn : prompt.turns) {
      head_.turns.push_back({turn.request, turn.end / size_});
      const auto resident = residents_.find(turn.request);
      if (resident == residents_.end()) continue;
      waits_for_resident_ = true;
      const Sid s = resident->second;
      name_written(s, granted ? table_.scheduled(s) : table_.stored(s));
    }
    head_.turns.push_back({r.id, 0});
    head_.content.turns = head_.turns;
    head_.content.salt = prompt.salt;
  }
  void units_of(const PromptContent& prompt, std::int64_t tokens) {
    const std::int64_t blocks = std::min(std::ssize(prompt.hashes) * prompt.hash_tokens, tokens) / size_;
    head_.content.unit_blocks = blocks;
    if (prompt.hash_tokens % size_ == 0) {
      cache_.set_blocks_per_unit(prompt.hash_tokens / size_);
      head_.content.units = prompt.hashes;
      return;
    }
    STOWAGE_ASSERT(size_ % prompt.hash_tokens == 0);
    const auto each = static_cast<std::size_t>(size_ / prompt.hash_tokens);
    for (std::size_t i = 0; i < static_cast<std::size_t>(blocks); ++i) {
      std::uint64_t unit = 0;
      for (std::size_t k = i * each; k < (i + 1) * each; ++k)
        unit = mixed((unit + 0x9E3779B97F4A7C15U) ^ prompt.hashes[k]);
      head_.units.push_back(unit);
    }
    head_.content.units = head_.units;
  }
  static std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9U;
    x = (x ^ x >> 27) * 0x94D049BB133111EBU;
    return x ^ x >> 31;
  }

  PrefixCache cache_;
  std::int64_t reserve_, on_the_way_;
  bool evicts_last_;  // blocks without content are taken first
  const RequestStream* stream_ = nullptr;
  std::vector<Seat> seats_;
  Seat head_;  // of the request looked up last
  PrefixCache::Hit hit_;
  bool looked_up_ = false;
  bool waits_for_resident_ = false;
  std::unordered_map<std::uint64_t, Sid> residents_;  // requests whose content others may begin with
  std::int64_t known_held_ = 0;
};
}  // namespace

std::unique_ptr<KvManager> make_prefix_paged(const RunConfig& config, const SequenceTable& table) {
  return std::make_unique<PrefixPaged>(config, table);
}
}  // namespace stowage
