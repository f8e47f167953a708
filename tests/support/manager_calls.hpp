#pragma once
// A manager outside the engine, call by call: what the contract tests drive.
#include <memory>

#include "sim/kv/manager.hpp"
#include "sim/kv/registry.hpp"
#include "sim/run_config.hpp"

namespace stowage {

class ManagerCalls {
 public:
  ManagerCalls(const ManagerRow& row, const RunConfig& config)
      : table_(config.scheduler.max_batch),
        kv_(row.make(config, table_)),
        account_(config.kv.pool.count(), kv_->facts().rounding_bytes) {
    account_.start(0);
  }
  /// Room for `tokens` of a new resident; its id, or no_sid when refused. At most max_batch residents.
  [[nodiscard]] Sid admit(std::int32_t prompt, std::int32_t output, std::int64_t tokens) {
    table_.grant_before(SequenceTable::everyone);
    const Sid s = table_.create({0, prompt, output, 0});
    if (!kv_->admit(s, tokens, 0)) {
      table_.destroy(s);
      return no_sid;
    }
    table_.append_running(s);
    table_[s].computed = tokens;
    return s;
  }
  /// Room for `tokens` in all.
  [[nodiscard]] bool extend(Sid s, std::int64_t tokens) {
    if (!kv_->extend(s, tokens, 0)) return false;
    table_[s].computed = tokens;
    return true;
  }
  void release(Sid s) {
    kv_->release(s, 0, account_);
    table_.remove_running(s);
    table_.destroy(s);
  }
  [[nodiscard]] const KvManager& manager() const { return *kv_; }
  [[nodiscard]] Occupancy occupancy() const { return kv_->occupancy(); }

 private:
  SequenceTable table_;
  std::unique_ptr<KvManager> kv_;
  MemoryAccount account_;
};
}  // namespace stowage
