#pragma once
// What the engine asks of a memory manager. A manager is a final class in one .cpp file of this folder; the engine
// (sim/serve/replica.hpp) is instantiated for it, so none of these calls is virtual.
//
// Contract, checked for every manager by tests/contract:
//   - a call that returns false changes nothing;
//   - held + cached + round_up + rounding + free == pool, all >= 0, after every call;
//   - releasing everybody leaves held == 0 and round_up == 0;
//   - same calls, same answers.
// Managers see a request's prompt and stored tokens through SequenceTable; only `reserve` may look at its output
// length, which `length: pow2` and `oracle` are handed on purpose.
#include <concepts>
#include <cstdint>

#include "sim/run_config.hpp"
#include "sim/serve/memory_account.hpp"
#include "sim/serve/sequence.hpp"

namespace stowage {

/// Bytes by owner; what is left of the pool is free.
struct Occupancy {
  std::int64_t held = 0, cached = 0, round_up = 0;
};

/// Totals of driver calls, in pages.
struct DriverCalls {
  std::uint64_t maps = 0, unmaps = 0;
  double background_ns = 0;  // what the mapper has before it now
};

/// Memory in one piece, of a resident or cached (owner == no_sid). Tokens fill it from its start.
struct Extent {
  std::int64_t at = -1;  // byte of the pool; -1 = has no address: pages, stacked in the order they are told
  std::int64_t bytes = 0;
  Sid owner = no_sid;
};

template <class S>
concept DecodeStretch = requires(S s, const S c, std::int64_t now_ns) {
  { s.advance() } -> std::same_as<void>;  // the iteration ends
  {
    s.extend(now_ns)
    } -> std::same_as<bool>;  // at its boundary all decoders get room for one token, or nothing changes
  { c.held_units() } -> std::same_as<std::int64_t>;
};

/// For managers whose decoders need nothing during a quiet stretch.
struct StillStretch {
  std::int64_t held = 0;
  static void advance() {}
  static bool extend(std::int64_t) { return true; }
  [[nodiscard]] std::int64_t held_units() const { return held; }
};

template <class P>
concept KvPolicy = requires(P p, const P c, Sid s, std::int64_t n, MemoryAccount& account) {
  // Bytes of the pool lost to rounding, tokens an empty pool can hold, bytes held per unit of held_units().
  { c.rounding_bytes() } -> std::same_as<std::int64_t>;
  { c.pool_tokens() } -> std::same_as<std::int64_t>;
  { c.unit_bytes() } -> std::same_as<std::int64_t>;
  { c.held_units() } -> std::same_as<std::int64_t>;
  { c.occupancy() } -> std::same_as<Occupancy>;
  // Could an empty pool hold this request to its end?
  { c.never_fits(n, n) } -> std::same_as<bool>;
  // admit(s, tokens, now): room for `tokens` of a new resident; extend: for `tokens` in all.
  { p.admit(s, n, n) } -> std::same_as<bool>;
  { p.extend(s, n, n) } -> std::same_as<bool>;
  // All decoding residents get room for one more token at this boundary, or nothing changes and the engine goes
  // through those that need memory one by one, in running order: begin_needy(), then next_needy() until no_sid.
  { p.extend_decoders(n) } -> std::same_as<bool>;
  { p.begin_needy() } -> std::same_as<void>;
  { p.next_needy() } -> std::same_as<Sid>;
  // s decodes from the next boundary on; its anchor is set.
  { p.start_decoding(s) } -> std::same_as<void>;
  // s leaves: settle what it held beyond its stored tokens (account.book_internal), free its memory.
  { p.release(s, n, account) } -> std::same_as<void>;
  // Driver work. begin_iteration(now, partial) returns the stall; `partial` is a running request whose prompt is not
  // done in this iteration, or no_sid. end_iteration(step_ns), idle(gap_ns). While table.paused() decoders neither
  // store nor need anything.
  { p.begin_iteration(n, s) } -> std::same_as<std::int64_t>;
  { p.end_iteration(n) } -> std::same_as<void>;
  { p.idle(n) } -> std::same_as<void>;
  // The last iteration from the one being formed on that certainly needs no driver work and no memory beyond what
  // extend_decoders gives: up to it the engine calls neither begin_iteration nor end_iteration. Less than the one being
  // formed when that one needs them.
  { c.quiet_until() } -> std::same_as<std::int64_t>;
  // The same as extend_decoders, end_iteration and held_units, on a copy that the loop keeps in registers.
  { p.stretch() } -> DecodeStretch;
  { p.end_stretch(p.stretch()) } -> std::same_as<void>;
  { p.finish_driver_work() } -> std::same_as<DriverCalls>;
  // For reports, seldom called, may walk the batch: calls so far; every extent, which sum to held + round_up + cached.
  { c.driver_calls() } -> std::same_as<DriverCalls>;
  c.each_extent([](const Extent&) {});
};
}  // namespace stowage
