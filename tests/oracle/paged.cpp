// S8: blocks from one pool, each with its owner written on it.
#include <algorithm>
#include <cmath>

#include "tests/oracle/memory.hpp"

namespace stowage::oracle {
namespace {

class Paged final : public Memory {
 public:
  explicit Paged(const RunConfig& c)
      : pool_(c.kv.pool.count()),
        block_tokens_(integer(c, "block_size")),
        block_bytes_(block_tokens_ * c.kv.bytes_per_token.count()),
        watermark_(std::get<double>(c.manager.params.at("watermark"))),
        admit_full_(c.scheduler.admit_full),
        owners_(static_cast<std::size_t>(pool_ / block_bytes_), nullptr) {}  // S8.1

  bool never_fits(const Sequence& s) const override { return need(s.prompt + s.outputs - 1) > blocks(); }  // S2.10

  bool admit(Sequence& s, std::int64_t, std::int64_t n, std::size_t others, WorkList& work) override {
    std::int64_t keep = 0;  // S8.5, S8.6
    if (others > 0) keep = static_cast<std::int64_t>(std::floor(watermark_ * static_cast<double>(blocks())));
    const std::int64_t asked = admit_full_ ? std::max(n, s.target()) : n;  // S8.4, S8.7
    return owned(nullptr) - need(asked) >= keep && extend(s, n, work);
  }

  /// S8.3.
  bool extend(Sequence& s, std::int64_t m, WorkList& work) override {
    const std::int64_t missing = std::max<std::int64_t>(0, need(m) - owned(&s));
    if (missing > owned(nullptr)) return false;
    for (std::int64_t i = 0; i < missing; ++i) *std::find(owners_.begin(), owners_.end(), nullptr) = &s;
    if (missing > 0) work.push_back({Work::Kind::place, missing});
    return true;
  }

  /// S8.8.
  void release(Sequence& s, WorkList&) override {
    for (auto& owner : owners_)
      if (owner == &s) owner = nullptr;
  }

  std::int64_t held_bytes(const Sequence& s) const override { return owned(&s) * block_bytes_; }
  std::int64_t free_blocks() const override { return owned(nullptr); }
  std::int64_t lost_bytes() const override { return pool_ - blocks() * block_bytes_; }

 private:
  std::int64_t need(std::int64_t tokens) const { return ceil_div(tokens, block_tokens_); }  // S8.2
  std::int64_t blocks() const { return std::ssize(owners_); }
  std::int64_t owned(const Sequence* s) const { return std::count(owners_.begin(), owners_.end(), s); }

  std::int64_t pool_, block_tokens_, block_bytes_;
  double watermark_;
  bool admit_full_;
  std::vector<const Sequence*> owners_;  // of each block; null = free
};
}  // namespace

std::unique_ptr<Memory> make_paged(const RunConfig& config) { return std::make_unique<Paged>(config); }
}  // namespace stowage::oracle
