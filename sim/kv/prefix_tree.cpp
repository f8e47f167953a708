// The radix tree of contents under a prefix cache: what is equal, and where contents part.
#include <algorithm>

#include "sim/kv/prefix_cache.hpp"

namespace stowage {

// --- Content.

std::size_t PrefixCache::KeyHash::operator()(const Key& k) const {
  const std::uint64_t place = std::uint64_t{k.parent} << 32 | std::uint64_t{k.shared};
  std::uint64_t x = k.content ^ (k.salt << 17) ^ place * 0x9E3779B97F4A7C15U;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9U;
  x = (x ^ x >> 27) * 0x94D049BB133111EBU;
  return x ^ x >> 31;
}

PrefixCache::Stretch PrefixCache::stretch_at(const BlockContent& content, std::int64_t depth) const {
  if (depth < content.unit_blocks) return {true, 0, content.unit_blocks - depth};
  const auto turn = std::upper_bound(content.turns.begin(), content.turns.end() - 1, depth,
                                     [](std::int64_t at, const BlockContent::Turn& t) { return at < t.end; });
  const bool last = turn == content.turns.end() - 1;
  return {false, turn->owner, last ? std::int64_t{1} << 60 : turn->end - depth};
}

PrefixCache::Key PrefixCache::key_at(NodeId parent, const BlockContent& content, std::int64_t depth) const {
  const Stretch s = stretch_at(content, depth);
  return {parent, s.shared, s.shared ? content.units[static_cast<std::size_t>(depth / per_unit_)] : s.owner,
          parent == root ? content.salt : 0};
}

PrefixCache::Key PrefixCache::key_of(NodeId node) const {
  const Node& n = nodes_[node];
  return {n.parent, n.shared, n.shared ? n.units.front() : n.owner, n.salt};
}

PrefixCache::NodeId PrefixCache::child(NodeId parent, const BlockContent& content, std::int64_t depth) const {
  const auto found = index_.find(key_at(parent, content, depth));
  return found == index_.end() ? none : found->second;
}

std::int64_t PrefixCache::common(const Node& node, std::int64_t from, const BlockContent& content,
                                 std::int64_t most) const {
  const std::int64_t depth = node.depth + from;
  const Stretch s = stretch_at(content, depth);
  most = std::min({most, node.length - from, s.length});
  if (s.shared != node.shared) return 0;
  if (!s.shared) return s.owner == node.owner ? most : 0;
  const auto first = static_cast<std::ptrdiff_t>(depth / per_unit_);
  const auto ours = node.units.begin() + (first - static_cast<std::ptrdiff_t>(node.depth / per_unit_));
  const auto differs = std::mismatch(ours, node.units.end(), content.units.begin() + first, content.units.end()).first;
  return std::min(most, (differs - ours) * per_unit_ - (differs == ours ? 0 : depth % per_unit_));
}

// --- The tree.

PrefixCache::NodeId PrefixCache::new_node() {
  if (free_nodes_.empty()) {
    nodes_.emplace_back();
    return static_cast<NodeId>(nodes_.size() - 1);
  }
  const NodeId id = free_nodes_.back();
  free_nodes_.pop_back();
  Node& node = nodes_[id];
  node.salt = node.owner = 0;
  node.children = 0;
  return id;
}

PrefixCache::NodeId PrefixCache::add_node(NodeId parent, const BlockContent& content, std::int64_t depth,
                                          std::int64_t length) {
  const NodeId id = new_node();
  const Stretch s = stretch_at(content, depth);
  Node& n = nodes_[id];
  n.parent = parent;
  n.depth = depth;
  n.length = length;
  n.shared = s.shared;
  n.owner = s.owner;
  n.salt = parent == root ? content.salt : 0;
  if (s.shared)
    n.units.assign(content.units.begin() + depth / per_unit_,
                   content.units.begin() + (depth + length - 1) / per_unit_ + 1);
  ++nodes_[parent].children;
  index_.emplace(key_of(id), id);
  return id;
}

PrefixCache::NodeId PrefixCache::split(NodeId lower, std::int64_t at) {
  const NodeId upper = new_node();
  Node& l = nodes_[lower];
  Node& u = nodes_[upper];
  index_[key_of(lower)] = upper;
  u.parent = l.parent;
  u.depth = l.depth;
  u.length = at;
  u.shared = l.shared;
  u.owner = l.owner;
  u.salt = l.salt;
  u.children = 1;
  l.parent = upper;
  l.salt = 0;
  l.depth += at;
  l.length -= at;
  if (l.shared) {
    const auto cut = l.units.begin() + (l.depth / per_unit_ - u.depth / per_unit_);
    u.units.assign(l.units.begin(), l.units.begin() + ((l.depth - 1) / per_unit_ - u.depth / per_unit_ + 1));
    l.units.erase(l.units.begin(), cut);
  }
  index_.emplace(key_of(lower), lower);

  std::vector<RunId> below;
  std::vector<RunId> all;
  all.swap(l.runs);
  for (const RunId id : all) {
    if (runs_[id].length <= at) {
      runs_[id].node = upper;
      u.runs.push_back(id);
      continue;
    }
    // The run keeps its name for the lower part: whoever holds it holds it to its end.
    const RunId head = new_run(upper, at, runs_[id].holders);
    Run& run = runs_[id];
    runs_[head].above = run.above;
    run.above = head;
    run.length -= at;
    if (run.holders == 0) link_before(head, run.next);  // its last block is taken first
    u.runs.push_back(head);
    below.push_back(id);
  }
  nodes_[lower].runs.swap(below);
  return upper;
}

/// A node goes when nothing is left of its content, and nothing behind it.
void PrefixCache::prune(NodeId id) {
  while (id != root && nodes_[id].runs.empty() && nodes_[id].children == 0) {
    const NodeId parent = nodes_[id].parent;
    index_.erase(key_of(id));
    nodes_[id].units.clear();  // its memory is for the next
    free_nodes_.push_back(id);
    --nodes_[parent].children;
    id = parent;
  }
}
}  // namespace stowage
