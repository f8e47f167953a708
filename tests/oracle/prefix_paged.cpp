// S16: `paged` with prefix caching. Every block has its holders, by admission, and an id once its tokens are known.
// `free_order`: nameless_first (the default), or as_freed as in vLLM before 0.24.
#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

#include "base/error.hpp"
#include "tests/oracle/memory.hpp"

namespace stowage::oracle {
namespace {
using Id = std::size_t;
constexpr Id no_id = ~Id{0};

/// S15.5, S15.6: ids of full blocks, equal where all tokens up to their ends are.
class Ids {
 public:
  explicit Ids(std::int64_t block_tokens) : block_tokens_(block_tokens) {}
  /// Of the first `blocks` blocks.
  const std::vector<Id>& of(const Sequence& s, std::int64_t blocks) {
    std::vector<Id>& ids = ids_[s.record.id];
    while (std::ssize(ids) < blocks) {
      std::vector<std::uint64_t> tokens;
      for (std::int64_t k = std::ssize(ids) * block_tokens_; k < (std::ssize(ids) + 1) * block_tokens_; ++k)
        tokens.push_back(token(s, static_cast<std::size_t>(k)));
      const Id parent = ids.empty() ? no_id : ids.back();
      ids.push_back(known_.try_emplace({parent, std::move(tokens)}, known_.size()).first->second);
    }
    return ids;
  }

 private:
  static std::uint64_t token(const Sequence& s, std::size_t k) {
    if (s.content == nullptr) return (std::uint64_t{1} << 63) | s.record.id << 32 | k;
    const auto prompt = static_cast<std::size_t>(s.prompt);
    return k < prompt ? s.content->prompt[k] : s.content->output[k - prompt];
  }
  std::int64_t block_tokens_;
  std::map<std::uint64_t, std::vector<Id>> ids_;  // by request
  std::map<std::pair<Id, std::vector<std::uint64_t>>, Id> known_;
};

class PrefixPaged final : public Memory {
 public:
  explicit PrefixPaged(const RunConfig& c)
      : pool_(c.kv.pool.count()),
        block_tokens_(integer(c, "block_size")),
        block_bytes_(block_tokens_ * c.kv.bytes_per_token.count()),
        watermark_(std::get<double>(c.manager.params.at("watermark"))),
        admit_full_(c.scheduler.admit_full),
        max_model_len_(c.scheduler.max_model_len),
        as_freed_(c.manager.params.contains("free_order") && word(c, "free_order") == "as_freed"),
        blocks_(static_cast<std::size_t>(pool_ / block_bytes_)),  // S8.1
        ids_(block_tokens_) {
    for (std::size_t b = 0; b < blocks_.size(); ++b) free_.push_back(b);  // S16.2
  }

  bool never_fits(const Sequence& s) const override {  // S2.10
    return need(s.prompt + s.outputs - 1) > std::ssize(blocks_);
  }

  std::int64_t lookup(const Sequence& s) const override {
    return static_cast<std::int64_t>(hits(s).size()) * block_tokens_;
  }

  bool admit(Sequence& s, std::int64_t from, std::int64_t to, std::size_t others, WorkList& work) override {
    const std::vector<std::size_t> found = hits(s);
    STOWAGE_ASSERT(from == std::ssize(found) * block_tokens_);
    const auto idle = std::count_if(found.begin(), found.end(), [&](std::size_t b) { return holders(b).empty(); });
    std::int64_t keep = 0;  // S16.12
    if (others > 0) keep = static_cast<std::int64_t>(std::floor(watermark_ * static_cast<double>(blocks_.size() + 1)));
    const auto fits = [&](std::int64_t tokens) {  // S16.10
      return need(tokens) - std::ssize(found) + idle + keep <= free_blocks();
    };
    if (admit_full_ && !fits(std::min(s.known(), max_model_len_))) return false;  // S16.11
    if (!fits(to)) return false;
    std::vector<std::size_t>& table = tables_[&s];
    for (const std::size_t b : found) {  // S16.13
      if (holders(b).empty()) free_.erase(std::find(free_.begin(), free_.end(), b));
      blocks_[b].holders.push_back(&s);
      table.push_back(b);
    }
    named_[&s] = std::ssize(found);
    grow(s, to, work);
    return true;
  }

  bool extend(Sequence& s, std::int64_t m, WorkList& work) override {
    if (need(m) - std::ssize(tables_.at(&s)) > free_blocks()) return false;
    grow(s, m, work);
    return true;
  }

  /// S16.4, S16.5, S16.19.
  void release(Sequence& s, WorkList&) override {
    std::vector<std::size_t> table = std::move(tables_.at(&s)), nameless;
    tables_.erase(&s);
    std::reverse(table.begin(), table.end());
    for (const std::size_t b : table) {
      std::erase(blocks_[b].holders, &s);
      if (!holders(b).empty()) continue;
      if (blocks_[b].id == no_id && !as_freed_)
        nameless.push_back(b);
      else
        free_.push_back(b);
    }
    free_.insert(free_.begin(), nameless.begin(), nameless.end());
  }

  /// S17.10: what is known now, and needs no row in flight to be known.
  void delivered(Sequence& s) override { name(s, s.scheduled - s.ordered); }

  std::int64_t held_bytes(const Sequence& s) const override {
    return std::ssize(tables_.at(&s)) * block_bytes_ - shared_tokens(s) / block_tokens_ * block_bytes_;
  }
  /// S16.17.
  std::int64_t shared_tokens(const Sequence& s) const override {
    const auto& table = tables_.at(&s);
    return block_tokens_ *
           std::count_if(table.begin(), table.end(), [&](std::size_t b) { return holders(b).front() != &s; });
  }
  std::int64_t cached_bytes() const override {  // S16.18
    return block_bytes_ *
           std::count_if(free_.begin(), free_.end(), [&](std::size_t b) { return blocks_[b].id != no_id; });
  }
  std::int64_t lost_bytes() const override { return pool_ - std::ssize(blocks_) * block_bytes_; }
  std::int64_t free_blocks() const override { return std::ssize(free_); }

 private:
  struct Block {
    std::vector<const Sequence*> holders;  // S16.1, by admission
    Id id = no_id;
  };
  std::int64_t need(std::int64_t tokens) const { return ceil_div(tokens, block_tokens_); }  // S8.2
  const std::vector<const Sequence*>& holders(std::size_t b) const { return blocks_[b].holders; }

  /// S16.6, S16.7: the blocks found, oldest copies first.
  std::vector<std::size_t> hits(const Sequence& s) const {
    const std::int64_t limit = (s.known() - 1) / block_tokens_;
    const std::vector<Id>& ids = ids_.of(s, limit);
    std::vector<std::size_t> out;
    for (std::int64_t j = 0; j < limit; ++j) {
      const auto copies = named_blocks_.find(ids[static_cast<std::size_t>(j)]);
      if (copies == named_blocks_.end() || copies->second.empty()) break;
      out.push_back(copies->second.front());
    }
    return out;
  }

  /// S16.3: the blocks are there.
  void grow(Sequence& s, std::int64_t m, WorkList& work) {
    std::vector<std::size_t>& table = tables_.at(&s);
    const std::int64_t missing = need(m) - std::ssize(table);
    for (std::int64_t i = 0; i < missing; ++i) {
      const std::size_t b = free_.front();
      free_.pop_front();
      if (blocks_[b].id != no_id) std::erase(named_blocks_.at(blocks_[b].id), b);
      blocks_[b] = {{&s}, no_id};
      table.push_back(b);
    }
    if (missing > 0) work.push_back({Work::Kind::place, missing});
    name(s, std::min(m, s.known()));  // S16.14
  }

  /// Full blocks of the first `tokens` tokens get their ids.
  void name(const Sequence& s, std::int64_t tokens) {
    const std::int64_t full = tokens / block_tokens_;
    const std::vector<Id>& ids = ids_.of(s, full);
    for (std::int64_t& j = named_.at(&s); j < full; ++j) {
      const std::size_t b = tables_.at(&s)[static_cast<std::size_t>(j)];
      blocks_[b].id = ids[static_cast<std::size_t>(j)];
      named_blocks_[blocks_[b].id].push_back(b);
    }
  }

  std::int64_t pool_, block_tokens_, block_bytes_;
  double watermark_;
  bool admit_full_;
  std::int64_t max_model_len_;
  bool as_freed_;
  std::vector<Block> blocks_;
  std::deque<std::size_t> free_;                                // S16.2, in the order of eviction
  std::map<Id, std::vector<std::size_t>> named_blocks_;         // S16.6, by registration
  std::map<const Sequence*, std::vector<std::size_t>> tables_;  // blocks of each resident
  std::map<const Sequence*, std::int64_t> named_;               // of these, from the first on, looked at for naming
  mutable Ids ids_;
};
}  // namespace

std::unique_ptr<Memory> make_prefix_paged(const RunConfig& config) { return std::make_unique<PrefixPaged>(config); }
}  // namespace stowage::oracle
