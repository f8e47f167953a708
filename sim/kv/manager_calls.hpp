#pragma once
// A manager outside the engine, call by call: what the contract tests drive, and what a real serving loop would.
#include "sim/kv/policy.hpp"

namespace stowage {

class KvManager {
 public:
  virtual ~KvManager() = default;
  /// Room for `tokens` of a new resident; its id, or no_sid when refused. At most max_batch residents.
  [[nodiscard]] virtual Sid admit(std::int32_t prompt, std::int32_t output, std::int64_t tokens) = 0;
  /// Room for `tokens` in all.
  [[nodiscard]] virtual bool extend(Sid s, std::int64_t tokens) = 0;
  virtual void release(Sid s) = 0;
  [[nodiscard]] virtual Occupancy occupancy() const = 0;
  [[nodiscard]] virtual std::int64_t rounding_bytes() const = 0;
  [[nodiscard]] virtual bool never_fits(std::int64_t prompt, std::int64_t output) const = 0;
};

template <KvPolicy Kv>
class ManagerCalls final : public KvManager {
 public:
  explicit ManagerCalls(const RunConfig& config)
      : table_(config.scheduler.max_batch),
        kv_(config, table_),
        account_(config.kv.pool.count(), kv_.rounding_bytes()) {
    account_.start(0);
  }
  Sid admit(std::int32_t prompt, std::int32_t output, std::int64_t tokens) override {
    table_.grant_before(SequenceTable::everyone);
    const Sid s = table_.create({0, prompt, output, 0});
    if (!kv_.admit(s, tokens, 0)) {
      table_.destroy(s);
      return no_sid;
    }
    table_.append_running(s);
    table_[s].computed = tokens;
    return s;
  }
  bool extend(Sid s, std::int64_t tokens) override {
    if (!kv_.extend(s, tokens, 0)) return false;
    table_[s].computed = tokens;
    return true;
  }
  void release(Sid s) override {
    kv_.release(s, 0, account_);
    table_.remove_running(s);
    table_.destroy(s);
  }
  Occupancy occupancy() const override { return kv_.occupancy(); }
  std::int64_t rounding_bytes() const override { return kv_.rounding_bytes(); }
  bool never_fits(std::int64_t prompt, std::int64_t output) const override { return kv_.never_fits(prompt, output); }

 private:
  SequenceTable table_;
  Kv kv_;
  MemoryAccount account_;
};

template <KvPolicy Kv>
std::unique_ptr<KvManager> make_calls(const RunConfig& config) {
  return std::make_unique<ManagerCalls<Kv>>(config);
}
}  // namespace stowage
