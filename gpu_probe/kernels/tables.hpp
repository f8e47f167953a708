#pragma once
// Block tables as memory managers leave them behind: in order, in random order, or in random 2 MiB groups whose
// blocks are in order (what an engine sees that hands out page-groups). Plain C++: tested without a GPU.
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace stowage::probe {

enum class TableOrder { sequential, random, grouped };

[[nodiscard]] inline const char* name_of(TableOrder order) {
  switch (order) {
    case TableOrder::sequential:
      return "sequential";
    case TableOrder::random:
      return "random";
    case TableOrder::grouped:
      return "grouped";
  }
  return "?";
}

/// Fisher-Yates with a remainder, not std::shuffle, whose numbers differ between libraries.
template <class T>
void shuffle_blocks(std::vector<T>& values, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random() % i]);
}

struct BlockTable {
  std::vector<std::int32_t> blocks;  // [request][stride]; unused entries are -1, so that reading one shows
  int stride = 0;
};

/// Gives each request ceil(length / block) distinct blocks of a pool of pool_blocks.
/// group_blocks: blocks in a 2 MiB group, for TableOrder::grouped.
[[nodiscard]] inline BlockTable make_table(std::span<const std::int32_t> lengths, int block, std::int64_t pool_blocks,
                                           TableOrder order, int group_blocks, std::uint64_t seed) {
  std::vector<std::int32_t> pool(static_cast<std::size_t>(pool_blocks));
  std::iota(pool.begin(), pool.end(), 0);
  if (order == TableOrder::random) shuffle_blocks(pool, seed);
  if (order == TableOrder::grouped && group_blocks > 1) {
    const std::int64_t groups = pool_blocks / group_blocks;
    std::vector<std::int32_t> first(static_cast<std::size_t>(groups));
    std::iota(first.begin(), first.end(), 0);
    shuffle_blocks(first, seed);
    for (std::int64_t i = 0; i < groups * group_blocks; ++i) {
      pool[static_cast<std::size_t>(i)] = first[static_cast<std::size_t>(i / group_blocks)] * group_blocks +
                                          static_cast<std::int32_t>(i % group_blocks);
    }
  }
  BlockTable table;
  std::int64_t needed = 0;
  for (const auto length : lengths) {
    const int n = (length + block - 1) / block;
    table.stride = std::max(table.stride, n);
    needed += n;
  }
  if (needed > pool_blocks) {
    throw std::invalid_argument("the batch needs " + std::to_string(needed) + " blocks, the pool has " +
                                std::to_string(pool_blocks));
  }
  table.blocks.assign(lengths.size() * static_cast<std::size_t>(table.stride), -1);
  std::size_t next = 0;
  for (std::size_t r = 0; r < lengths.size(); ++r) {
    const int n = (lengths[r] + block - 1) / block;
    for (int b = 0; b < n; ++b) table.blocks[r * static_cast<std::size_t>(table.stride) + b] = pool[next++];
  }
  return table;
}

}  // namespace stowage::probe
