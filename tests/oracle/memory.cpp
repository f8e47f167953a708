#include "tests/oracle/memory.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "base/error.hpp"

namespace stowage::oracle {
namespace {

std::int64_t integer(const ManagerSpec& spec, const char* key) { return std::get<std::int64_t>(spec.params.at(key)); }
double fraction(const ManagerSpec& spec, const char* key) { return std::get<double>(spec.params.at(key)); }
std::string word(const ManagerSpec& spec, const char* key) { return std::get<std::string>(spec.params.at(key)); }
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// ---------------------------------------------------------------------------------------------------- reserve

/// Where contiguous regions live. Sizes and addresses in tokens.
class Space {
 public:
  virtual ~Space() = default;
  [[nodiscard]] virtual std::int64_t capacity_bytes() const = 0;
  [[nodiscard]] virtual bool could_ever_hold(std::int64_t tokens) const = 0;
  virtual bool take(const Resident* owner, std::int64_t tokens) = 0;
  virtual void give_back(const Resident* owner) = 0;
  /// Bytes taken beyond what was asked for, over all owners.
  [[nodiscard]] virtual std::int64_t round_up_bytes() const { return 0; }
};

class Slots final : public Space {
 public:
  Slots(std::int64_t pool, std::int64_t slot_tokens, std::int64_t bpt)
      : owners_(static_cast<std::size_t>(pool / (slot_tokens * bpt)), nullptr), slot_bytes_(slot_tokens * bpt) {}
  std::int64_t capacity_bytes() const override { return static_cast<std::int64_t>(owners_.size()) * slot_bytes_; }
  bool could_ever_hold(std::int64_t) const override { return !owners_.empty(); }
  bool take(const Resident* owner, std::int64_t) override {
    for (auto& slot : owners_)
      if (slot == nullptr) {
        slot = owner;
        return true;
      }
    return false;
  }
  void give_back(const Resident* owner) override { std::replace(owners_.begin(), owners_.end(), owner, free_); }

 private:
  static constexpr const Resident* free_ = nullptr;
  std::vector<const Resident*> owners_;
  std::int64_t slot_bytes_;
};

/// One owner a token: the lowest run of free tokens that is long enough.
class FirstFit final : public Space {
 public:
  FirstFit(std::int64_t pool, std::int64_t bpt) : owners_(static_cast<std::size_t>(pool / bpt), nullptr), bpt_(bpt) {}
  std::int64_t capacity_bytes() const override { return static_cast<std::int64_t>(owners_.size()) * bpt_; }
  bool could_ever_hold(std::int64_t tokens) const override {
    return tokens <= static_cast<std::int64_t>(owners_.size());
  }
  bool take(const Resident* owner, std::int64_t tokens) override {
    std::int64_t run = 0;
    for (std::size_t i = 0; i < owners_.size(); ++i) {
      run = owners_[i] == nullptr ? run + 1 : 0;
      if (run < tokens) continue;
      for (std::size_t j = i + 1 - static_cast<std::size_t>(tokens); j <= i; ++j) owners_[j] = owner;
      return true;
    }
    return false;
  }
  void give_back(const Resident* owner) override {
    for (auto& token : owners_)
      if (token == owner) token = nullptr;
  }

 private:
  std::vector<const Resident*> owners_;
  std::int64_t bpt_;
};

/// Addresses and sizes in units of min_block tokens; free_[k] holds the addresses of free blocks of 2^k units.
class Buddy final : public Space {
 public:
  Buddy(std::int64_t pool, std::int64_t min_block, std::int64_t bpt)
      : units_(pool / (min_block * bpt)), min_block_(min_block), bpt_(bpt), free_(63) {
    for (std::int64_t at = 0; at < units_;) {
      int k = 62;
      while (at % size(k) != 0 || at + size(k) > units_) --k;
      free_[static_cast<std::size_t>(k)].insert(at);
      largest_ = std::max(largest_, k);
      at += size(k);
    }
  }
  std::int64_t capacity_bytes() const override { return units_ * min_block_ * bpt_; }
  bool could_ever_hold(std::int64_t tokens) const override {
    return largest_ >= 0 && tokens <= size(largest_) * min_block_;
  }
  bool take(const Resident* owner, std::int64_t tokens) override {
    const int wanted = order_of(tokens);
    int k = wanted;
    while (k < 63 && free_[static_cast<std::size_t>(k)].empty()) ++k;
    if (k == 63) return false;
    auto& from = free_[static_cast<std::size_t>(k)];
    const std::int64_t at = *from.begin();
    from.erase(from.begin());
    while (k > wanted) {  // split: the low half is used, the high half stays free
      --k;
      free_[static_cast<std::size_t>(k)].insert(at + size(k));
    }
    taken_.push_back({owner, at, wanted, tokens});
    return true;
  }
  void give_back(const Resident* owner) override {
    const auto it = std::find_if(taken_.begin(), taken_.end(), [&](const Taken& t) { return t.owner == owner; });
    STOWAGE_ASSERT(it != taken_.end());
    auto [who, at, k, tokens] = *it;
    taken_.erase(it);
    while (free_[static_cast<std::size_t>(k)].erase(at ^ size(k)) == 1) {  // the buddy is free too: one block again
      at = std::min(at, at ^ size(k));
      ++k;
    }
    free_[static_cast<std::size_t>(k)].insert(at);
  }
  std::int64_t round_up_bytes() const override {
    std::int64_t tokens = 0;
    for (const auto& t : taken_) tokens += size(t.order) * min_block_ - t.tokens;
    return tokens * bpt_;
  }

 private:
  struct Taken {
    const Resident* owner;
    std::int64_t at;
    int order;
    std::int64_t tokens;
  };
  static std::int64_t size(int order) { return std::int64_t{1} << order; }
  int order_of(std::int64_t tokens) const {
    int k = 0;
    while (size(k) * min_block_ < tokens) ++k;
    return k;
  }
  std::int64_t units_, min_block_, bpt_;
  int largest_ = -1;
  std::vector<std::set<std::int64_t>> free_;
  std::vector<Taken> taken_;
};

class Reserve final : public Memory {
 public:
  explicit Reserve(const RunConfig& c)
      : pool_(c.kv.pool.count()),
        bpt_(c.kv.bytes_per_token.count()),
        max_model_len_(c.scheduler.max_model_len),
        length_(word(c.manager, "length")) {
    std::string space = word(c.manager, "space");
    if (space.empty()) space = length_ == "max" ? "slots" : "buddy";  // S7.4
    if (space == "slots") {
      STOWAGE_ASSERT(length_ == "max");
      space_ = std::make_unique<Slots>(pool_, max_model_len_, bpt_);
    } else if (space == "first-fit") {
      space_ = std::make_unique<FirstFit>(pool_, bpt_);
    } else {
      STOWAGE_ASSERT(space == "buddy");
      space_ = std::make_unique<Buddy>(pool_, integer(c.manager, "min_block"), bpt_);
    }
  }
  bool never_fits(const Resident& r) const override { return !space_->could_ever_hold(region(r)); }
  bool admit(Resident& r, std::int64_t, std::size_t) override { return space_->take(&r, region(r)); }
  bool extend(Resident&, std::int64_t) override { return true; }
  void release(Resident& r) override { space_->give_back(&r); }
  std::int64_t held_bytes(const Resident& r) const override { return region(r) * bpt_; }
  std::int64_t lost_bytes() const override { return pool_ - space_->capacity_bytes() + space_->round_up_bytes(); }

 private:
  std::int64_t region(const Resident& r) const {
    if (length_ == "max") return max_model_len_;
    if (length_ == "oracle") return r.prompt + r.outputs - 1;
    STOWAGE_ASSERT(length_ == "pow2");
    std::int64_t power = 1;  // 2^ceil(log2 O): the least power of two that is not below O
    while (power < r.outputs) power *= 2;
    return std::min(max_model_len_, r.prompt + power);
  }
  std::int64_t pool_, bpt_, max_model_len_;
  std::string length_;
  std::unique_ptr<Space> space_;
};

// ------------------------------------------------------------------------------------------------------ paged

class Paged final : public Memory {
 public:
  explicit Paged(const RunConfig& c)
      : pool_(c.kv.pool.count()),
        bpt_(c.kv.bytes_per_token.count()),
        block_size_(integer(c.manager, "block_size")),
        watermark_(fraction(c.manager, "watermark")),
        admit_full_(c.scheduler.admit_full),
        owners_(static_cast<std::size_t>(pool_ / (block_size_ * bpt_)), nullptr) {}
  bool never_fits(const Resident& r) const override {
    return ceil_div(r.prompt + r.outputs - 1, block_size_) > static_cast<std::int64_t>(owners_.size());
  }
  bool admit(Resident& r, std::int64_t n, std::size_t others) override {
    std::int64_t keep = 0;
    if (others > 0) keep = static_cast<std::int64_t>(std::floor(watermark_ * static_cast<double>(owners_.size())));
    const std::int64_t asked = admit_full_ ? std::max(n, r.target()) : n;
    if (blocks_of(nullptr) - ceil_div(asked, block_size_) < keep) return false;
    return grow(r, n);
  }
  bool extend(Resident& r, std::int64_t m) override { return grow(r, m); }
  void release(Resident& r) override {
    for (auto& block : owners_)
      if (block == &r) block = nullptr;
  }
  std::int64_t held_bytes(const Resident& r) const override { return blocks_of(&r) * block_size_ * bpt_; }
  std::int64_t lost_bytes() const override {
    return pool_ - static_cast<std::int64_t>(owners_.size()) * block_size_ * bpt_;
  }

 private:
  std::int64_t blocks_of(const Resident* r) const { return std::count(owners_.begin(), owners_.end(), r); }
  bool grow(Resident& r, std::int64_t tokens) {
    std::int64_t missing = ceil_div(tokens, block_size_) - blocks_of(&r);
    if (missing > blocks_of(nullptr)) return false;
    for (auto& block : owners_) {
      if (missing <= 0) break;
      if (block == nullptr) {
        block = &r;
        --missing;
      }
    }
    return true;
  }
  std::int64_t pool_, bpt_, block_size_;
  double watermark_;
  bool admit_full_;
  std::vector<const Resident*> owners_;  // of each block
};
}  // namespace

std::unique_ptr<Memory> make_vattention(const RunConfig& config);  // vattention.cpp

std::unique_ptr<Memory> make_memory(const RunConfig& config) {
  if (config.manager.kind == "reserve") return std::make_unique<Reserve>(config);
  if (config.manager.kind == "paged") return std::make_unique<Paged>(config);
  STOWAGE_ASSERT(config.manager.kind == "vattention");
  return make_vattention(config);
}
}  // namespace stowage::oracle
