#pragma once
// PagedAttention (vLLM): a pool of equal blocks and a block table per request (Kwon et al., SOSP 2023, section 4).
// Decoding requests cross into a new block every block_size iterations, so those that cross together form a residue
// class: memory for a whole boundary is one subtraction of the class's count.
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "sim/kernel/divisor.hpp"
#include "sim/kv/manager.hpp"
#include "sim/run_config.hpp"

namespace stowage {

class Paged : public KvManager {
 public:
  Paged(const RunConfig& config, const SequenceTable& table);
  [[nodiscard]] bool never_fits(std::int64_t prompt, std::int64_t output) const override;
  bool admit(Sid s, std::int64_t tokens, std::int64_t now) override;
  bool extend(Sid s, std::int64_t tokens, std::int64_t now) override;
  void begin_needy() override;
  Sid next_needy(std::int64_t order) override;
  void start_decoding(Sid s) override;
  void stop_decoding(Sid s) override { leave_class(state(s)); }
  void release(Sid s, std::int64_t now, MemoryAccount& account) override;
  void each_extent(const std::function<void(const Extent&)>& visit) const override;

 protected:
  [[nodiscard]] std::int64_t need(std::int64_t tokens) const { return per_block_.ceil(tokens); }
  /// Blocks that `s` lacks for `tokens` in all.
  [[nodiscard]] std::int64_t missing(Sid s, std::int64_t tokens) const;
  /// Of a resident, for the step being formed too.
  [[nodiscard]] std::int64_t blocks_of(Sid s) const;
  void admitted(Sid s, std::int64_t blocks, std::int64_t now) {
    state(s) = {.blocks = blocks, .block_since_ns = now};
  }
  void extended(Sid s, std::int64_t blocks, std::int64_t now);
  /// Books what it held beyond its kept tokens.
  void left(Sid s, std::int64_t now, MemoryAccount& account);

  const SequenceTable& table_;
  Divisor per_block_;
  std::int64_t size_, token_bytes_, block_bytes_, blocks_;
  bool admit_full_;

 private:
  struct State {
    std::int64_t blocks = 0;           // held when the prompt was done (or so far, while it is not)
    std::int64_t block_since_ns = 0;   // when the last of them were taken
    std::int64_t before_since_ns = 0;  // and when those before
    Sid prev = no_sid, next = no_sid;
    std::int64_t residue = -1;
  };
  struct Class {
    Sid head = no_sid, tail = no_sid;
  };
  [[nodiscard]] State& state(Sid s) { return state_[static_cast<std::size_t>(s)]; }
  [[nodiscard]] const State& state(Sid s) const { return state_[static_cast<std::size_t>(s)]; }
  void leave_class(State& st);

  std::int64_t watermark_;
  std::vector<std::int64_t> count_;  // decoders by the iteration, modulo block size, at which they cross
  std::vector<Class> classes_;       // and the list of them
  std::vector<State> state_;
  std::vector<std::int64_t> boundary_ns_;  // start of the last block_size iterations
  std::vector<Sid> needy_;
};

/// With prefix caching: prefix_paged.cpp.
[[nodiscard]] std::unique_ptr<KvManager> make_prefix_paged(const RunConfig& config, const SequenceTable& table);
}  // namespace stowage
