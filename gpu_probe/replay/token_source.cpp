#include "gpu_probe/replay/token_source.hpp"

#include <algorithm>

namespace stowage::replay {
namespace {
/// splitmix64's end.
std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}
}  // namespace

std::uint64_t salted(std::uint64_t hash, std::uint64_t salt) {
  return salt == 0 ? hash : mixed(hash + salt * 0x9e3779b97f4a7c15U);
}

TokenSources::TokenSources(std::uint64_t id, const PromptContent& content)
    : id_(id),
      hash_tokens_(std::max<std::int64_t>(1, content.hash_tokens)),
      turns_(content.turns.begin(), content.turns.end()) {
  for (const std::uint64_t hash : content.hashes) texts_.push_back(salted(hash, content.salt));
}

TokenSource TokenSources::of(std::int64_t position) const {
  if (const auto unit = static_cast<std::size_t>(position / hash_tokens_); unit < texts_.size())
    return {true, texts_[unit], position % hash_tokens_};
  for (const PromptContent::Turn& turn : turns_)
    if (position < turn.end) return {false, turn.request, position};
  return {false, id_, position};
}

std::uint64_t TokenSources::chained(std::uint64_t before, std::int64_t last) const {
  const TokenSource s = of(last);
  const std::uint64_t text = mixed(s.text + (s.shared ? 0x9e3779b97f4a7c15U : 1));
  return mixed(before + 0x9e3779b97f4a7c15U) ^ mixed(text + static_cast<std::uint64_t>(s.at));
}

}  // namespace stowage::replay
