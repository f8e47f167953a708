#include "gpu_probe/replay/token_book.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "gpu_probe/replay/token_source.hpp"

namespace stowage::replay {

std::int32_t prompt_token(std::uint64_t seed, std::uint64_t id, std::int64_t position, int vocab) {
  // splitmix64 of the place
  std::uint64_t x = seed * 0x9e3779b97f4a7c15U + id * 0xbf58476d1ce4e5b9U + static_cast<std::uint64_t>(position);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return static_cast<std::int32_t>((x ^ (x >> 31)) % static_cast<std::uint64_t>(vocab));
}

TokenBook::TokenBook(std::int64_t max_batch, int vocab, std::uint64_t seed)
    : vocab_(vocab), seed_(seed), rows_(static_cast<std::size_t>(max_batch)) {}

TokenBook::Row& TokenBook::row(const PlannedRequest& r) {
  Row& row = rows_[static_cast<std::size_t>(r.sid)];
  if (row.used && row.id == r.id) return row;
  if (row.used) finished_[row.id] = std::move(row.tokens);
  row.used = true;
  row.id = r.id;
  row.tokens.resize(static_cast<std::size_t>(r.prompt_tokens));
  const TokenSources sources(r.id, r.content);
  for (std::size_t t = 0; t < row.tokens.size(); ++t) {
    const TokenSource s = sources.of(static_cast<std::int64_t>(t));
    // Texts that hashes stand for have a seed of their own.
    if (s.shared) row.tokens[t] = prompt_token(~seed_, s.text, s.at, vocab_);
    else if (s.text == r.id) row.tokens[t] = prompt_token(seed_, r.id, s.at, vocab_);
    else row.tokens[t] = tokens_of(s.text).at(static_cast<std::size_t>(s.at));
  }
  return row;
}

/// Of an earlier request, which has ended.
const std::vector<std::int32_t>& TokenBook::tokens_of(std::uint64_t id) const {
  if (const auto found = finished_.find(id); found != finished_.end()) return found->second;
  const auto row = std::ranges::find_if(rows_, [&](const Row& known) { return known.used && known.id == id; });
  STOWAGE_ASSERT(row != rows_.end());
  return row->tokens;
}

void TokenBook::add(const PlannedRequest& r) {
  const Row& known = row(r);
  batch_.requests.push_back({r.sid, static_cast<int>(r.stored), static_cast<int>(r.count), r.completes});
  STOWAGE_ASSERT(static_cast<std::size_t>(r.stored + r.count) <= known.tokens.size());
  if (r.decoding) {
    batch_.tokens.push_back(-1);  // on the device already
  } else {
    const auto first = known.tokens.begin() + r.stored;
    batch_.tokens.insert(batch_.tokens.end(), first, first + r.count);
  }
}

const probe::StepBatch& TokenBook::batch(const IterationPlan& plan) {
  batch_.requests.clear();
  batch_.tokens.clear();
  for (const PlannedRequest& r : plan.requests)
    if (r.count == 1) add(r);
  for (const PlannedRequest& r : plan.requests)
    if (r.count != 1) add(r);
  return batch_;
}

void TokenBook::sampled(const IterationPlan& plan, std::span<const std::int32_t> sampled) {
  for (const PlannedRequest& r : plan.requests) {
    if (!r.completes) continue;
    const std::int32_t token = sampled[static_cast<std::size_t>(r.sid)];
    rows_[static_cast<std::size_t>(r.sid)].tokens.push_back(token);
    fingerprint_ = (fingerprint_ ^ static_cast<std::uint32_t>(token)) * 1099511628211U;
  }
}

std::map<std::uint64_t, std::vector<std::int32_t>> TokenBook::sequences() const {
  auto out = finished_;
  for (const Row& row : rows_)
    if (row.used) out[row.id] = row.tokens;
  return out;
}

}  // namespace stowage::replay
