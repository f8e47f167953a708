// S7: a contiguous region for a request's whole residency, in one of three kinds of space.
#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "tests/oracle/memory.hpp"

namespace stowage::oracle {
namespace {

/// Where regions live. Sizes and addresses in tokens.
class Space {
 public:
  virtual ~Space() = default;
  [[nodiscard]] virtual std::int64_t capacity_tokens() const = 0;
  [[nodiscard]] virtual bool could_ever_hold(std::int64_t tokens) const = 0;
  virtual bool take(const Sequence* owner, std::int64_t tokens) = 0;
  virtual void give_back(const Sequence* owner) = 0;
  /// Taken beyond what was asked for, over all owners.
  [[nodiscard]] virtual std::int64_t round_up_tokens() const { return 0; }
};

/// S7.5.
class Slots final : public Space {
 public:
  Slots(std::int64_t tokens, std::int64_t slot_tokens)
      : owners_(static_cast<std::size_t>(tokens / slot_tokens), nullptr), slot_tokens_(slot_tokens) {}
  std::int64_t capacity_tokens() const override { return std::ssize(owners_) * slot_tokens_; }
  bool could_ever_hold(std::int64_t) const override { return !owners_.empty(); }
  bool take(const Sequence* owner, std::int64_t) override {
    const auto slot = std::find(owners_.begin(), owners_.end(), nullptr);
    if (slot == owners_.end()) return false;
    *slot = owner;
    return true;
  }
  void give_back(const Sequence* owner) override { *std::find(owners_.begin(), owners_.end(), owner) = nullptr; }

 private:
  std::vector<const Sequence*> owners_;
  std::int64_t slot_tokens_;
};

/// S7.6: one owner a token; the lowest run of free tokens that is long enough.
class FirstFit final : public Space {
 public:
  explicit FirstFit(std::int64_t tokens) : owners_(static_cast<std::size_t>(tokens), nullptr) {}
  std::int64_t capacity_tokens() const override { return std::ssize(owners_); }
  bool could_ever_hold(std::int64_t tokens) const override { return tokens <= capacity_tokens(); }
  bool take(const Sequence* owner, std::int64_t tokens) override {
    const auto hole = std::search_n(owners_.begin(), owners_.end(), tokens, nullptr,
                                    [](const Sequence* a, const Sequence* b) { return a == b; });
    if (hole == owners_.end()) return false;
    std::fill_n(hole, tokens, owner);
    return true;
  }
  void give_back(const Sequence* owner) override {
    for (auto& token : owners_)
      if (token == owner) token = nullptr;
  }

 private:
  std::vector<const Sequence*> owners_;
};

/// Addresses and sizes in units of min_block tokens; free_[k] holds the addresses of free blocks of 2^k units.
class Buddy final : public Space {
 public:
  Buddy(std::int64_t tokens, std::int64_t min_block) : units_(tokens / min_block), min_block_(min_block) {  // S7.7
    for (std::int64_t at = 0; at < units_;) {                                                               // S7.8
      std::size_t k = orders - 1;
      while (at % size(k) != 0 || at + size(k) > units_) --k;
      free_[k].insert(at);
      largest_ = std::max(largest_, size(k));
      at += size(k);
    }
  }
  std::int64_t capacity_tokens() const override { return units_ * min_block_; }
  bool could_ever_hold(std::int64_t tokens) const override { return tokens <= largest_ * min_block_; }
  bool take(const Sequence* owner, std::int64_t tokens) override {
    std::size_t wanted = 0;
    while (size(wanted) * min_block_ < tokens) ++wanted;
    std::size_t k = wanted;  // S7.9
    while (k < orders && free_[k].empty()) ++k;
    if (k == orders) return false;
    const std::int64_t at = *free_[k].begin();
    free_[k].erase(at);
    while (k > wanted) {  // S7.10
      --k;
      free_[k].insert(at + size(k));
    }
    taken_.push_back({owner, at, wanted, tokens});
    return true;
  }
  void give_back(const Sequence* owner) override {
    const auto it = std::find_if(taken_.begin(), taken_.end(), [&](const Taken& t) { return t.owner == owner; });
    STOWAGE_ASSERT(it != taken_.end());
    std::int64_t at = it->at;
    std::size_t k = it->order;
    taken_.erase(it);
    while (free_[k].erase(at ^ size(k)) == 1) {  // S7.11
      at = std::min(at, at ^ size(k));
      ++k;
    }
    free_[k].insert(at);
  }
  std::int64_t round_up_tokens() const override {  // S7.12
    std::int64_t tokens = 0;
    for (const auto& t : taken_) tokens += size(t.order) * min_block_ - t.tokens;
    return tokens;
  }

 private:
  static constexpr std::size_t orders = 62;
  struct Taken {
    const Sequence* owner;
    std::int64_t at;
    std::size_t order;
    std::int64_t tokens;
  };
  static std::int64_t size(std::size_t order) { return std::int64_t{1} << order; }
  std::int64_t units_, min_block_, largest_ = 0;
  std::vector<std::set<std::int64_t>> free_{orders};
  std::vector<Taken> taken_;
};

class Reserve final : public Memory {
 public:
  explicit Reserve(const RunConfig& c)
      : pool_(c.kv.pool.count()),
        bpt_(c.kv.bytes_per_token.count()),
        max_model_len_(c.scheduler.max_model_len),
        length_(word(c, "length")) {
    std::string space = word(c, "space");
    if (space.empty()) space = length_ == "max" ? "slots" : "buddy";  // S7.4
    STOWAGE_ASSERT(space != "slots" || length_ == "max");
    if (space == "slots") space_ = std::make_unique<Slots>(pool_ / bpt_, max_model_len_);
    if (space == "first-fit") space_ = std::make_unique<FirstFit>(pool_ / bpt_);
    if (space == "buddy") space_ = std::make_unique<Buddy>(pool_ / bpt_, integer(c, "min_block"));
    STOWAGE_ASSERT(space_ != nullptr);
  }
  bool never_fits(const Sequence& s) const override { return !space_->could_ever_hold(region(s)); }  // S2.9
  /// S7.1, S7.13.
  bool admit(Sequence& s, std::int64_t, std::int64_t, std::size_t, WorkList& work) override {
    if (!space_->take(&s, region(s))) return false;
    work.push_back({Work::Kind::place, 1});
    return true;
  }
  bool extend(Sequence&, std::int64_t, WorkList&) override { return true; }  // S7.1
  void release(Sequence& s, WorkList&) override { space_->give_back(&s); }
  std::int64_t held_bytes(const Sequence& s) const override { return region(s) * bpt_; }  // S7.12
  std::int64_t lost_bytes() const override {
    return pool_ - (space_->capacity_tokens() - space_->round_up_tokens()) * bpt_;
  }

 private:
  std::int64_t region(const Sequence& s) const {
    if (length_ == "max") return max_model_len_;               // S7.2
    if (length_ == "oracle") return s.prompt + s.outputs - 1;  // S7.2
    STOWAGE_ASSERT(length_ == "pow2");                         // S7.3
    std::int64_t power = 1;
    while (power < s.outputs) power *= 2;
    return std::min(max_model_len_, s.prompt + power);
  }
  std::int64_t pool_, bpt_, max_model_len_;
  std::string length_;
  std::unique_ptr<Space> space_;
};
}  // namespace

std::unique_ptr<Memory> make_reserve(const RunConfig& config) { return std::make_unique<Reserve>(config); }
}  // namespace stowage::oracle
