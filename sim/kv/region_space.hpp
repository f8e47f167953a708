#pragma once
// Contiguous regions of tokens in one pool, for managers that reserve: equal slots, buddy, first-fit.
// Bookkeeping only; sizes and addresses in tokens.
#include <cstdint>
#include <memory>
#include <optional>

namespace stowage {

struct Region {
  std::int64_t begin = 0;
  std::int64_t taken = 0;  // tokens taken from the pool; >= what was asked for (buddy rounds up)
};

class RegionSpace {
 public:
  virtual ~RegionSpace() = default;
  [[nodiscard]] virtual std::optional<Region> take(std::int64_t tokens) = 0;
  virtual void give_back(const Region& region) = 0;
  /// Would `tokens` fit in an empty pool?
  [[nodiscard]] virtual bool ever_fits(std::int64_t tokens) const = 0;
  /// Tokens of the pool that no region can ever use.
  [[nodiscard]] virtual std::int64_t unusable() const = 0;
};

/// floor(pool / slot) equal slots, lowest index first.
[[nodiscard]] std::unique_ptr<RegionSpace> make_slots(std::int64_t pool_tokens, std::int64_t slot_tokens);
/// Sizes are min_block x powers of two. The pool is cut greedily from address 0 into maximal aligned blocks; the
/// lowest-address block of the smallest sufficient order is split, the low half used; buddies coalesce.
[[nodiscard]] std::unique_ptr<RegionSpace> make_buddy(std::int64_t pool_tokens, std::int64_t min_block);
/// Lowest address that fits, granularity one token, neighbours coalesce.
[[nodiscard]] std::unique_ptr<RegionSpace> make_first_fit(std::int64_t pool_tokens);
}  // namespace stowage
