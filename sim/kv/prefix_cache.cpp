#include "sim/kv/prefix_cache.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace stowage {

PrefixCache::PrefixCache(std::int64_t blocks, std::int64_t blocks_per_unit, FreeOrder order)
    : per_unit_(blocks_per_unit), order_(order) {
  nodes_.emplace_back();
  free_unnamed(blocks);
}

// --- Runs and the free list.

PrefixCache::RunId PrefixCache::new_run(NodeId node, std::int64_t length, std::int32_t holders) {
  RunId id = static_cast<RunId>(runs_.size());
  if (free_runs_.empty()) {
    runs_.emplace_back();
  } else {
    id = free_runs_.back();
    free_runs_.pop_back();
  }
  runs_[id] = {node, length, holders, none, none, none};
  return id;
}

/// Takes a run without blocks, which is in no list, out of its node.
void PrefixCache::drop_run(RunId id) {
  const NodeId node = runs_[id].node;
  free_runs_.push_back(id);
  if (node >= nobodys) return;
  std::erase(nodes_[node].runs, id);
  prune(node);
}

void PrefixCache::link_before(RunId id, RunId next) {
  Run& run = runs_[id];
  run.next = next;
  run.previous = next == none ? tail_ : runs_[next].previous;
  (run.previous == none ? head_ : runs_[run.previous].next) = id;
  (next == none ? tail_ : runs_[next].previous) = id;
}

void PrefixCache::unlink(RunId id) {
  Run& run = runs_[id];
  (run.previous == none ? head_ : runs_[run.previous].next) = run.next;
  (run.next == none ? tail_ : runs_[run.next].previous) = run.previous;
  run.previous = run.next = none;
}

void PrefixCache::free_unnamed(std::int64_t n) {
  unnamed_ += n;
  if (n == 0 || order_ == FreeOrder::unnamed_first) return;
  if (tail_ != none && runs_[tail_].node == none) runs_[tail_].length += n;
  else link_before(new_run(none, n, 0), none);
}

void PrefixCache::add_holder(RunId id) {
  Run& run = runs_[id];
  if (run.holders == 0) {
    unlink(id);
    idle_ -= run.length;
  } else {
    surplus_ += run.length;
  }
  ++run.holders;
}

void PrefixCache::remove_holder(RunId id) {
  Run& run = runs_[id];
  --run.holders;
  if (run.holders == 0) {
    link_before(id, none);
    idle_ += run.length;
  } else {
    surplus_ -= run.length;
  }
}

// --- What a manager asks for.

PrefixCache::Hit PrefixCache::find(const BlockContent& content, std::int64_t limit) const {
  Hit hit;
  for (NodeId at = root; hit.blocks < limit;) {
    at = child(at, content, hit.blocks);
    if (at == none) break;
    const Node& node = nodes_[at];
    const std::int64_t equal = common(node, 0, content, limit - hit.blocks);
    std::int64_t here = 0;
    while (here < equal) {
      const auto run = std::find_if(node.runs.begin(), node.runs.end(),
                                    [&](RunId id) { return runs_[id].length > here; });
      if (run == node.runs.end()) break;
      const std::int64_t more = std::min(runs_[*run].length, equal) - here;
      here += more;
      if (runs_[*run].holders == 0) hit.idle += more;
    }
    hit.blocks += here;
    if (here < node.length) break;
  }
  return hit;
}

void PrefixCache::hold(Holder& holder, const BlockContent& content, std::int64_t blocks) {
  STOWAGE_ASSERT(holder.blocks == 0);
  for (NodeId at = root; holder.blocks < blocks;) {
    NodeId node = child(at, content, holder.blocks);
    STOWAGE_ASSERT(node != none);
    const std::int64_t equal = common(nodes_[node], 0, content, blocks - holder.blocks);
    STOWAGE_ASSERT(equal > 0 && !nodes_[node].runs.empty());
    RunId run = nodes_[node].runs.front();  // named first; every run has a block
    const std::int64_t held = std::min(equal, runs_[run].length);
    if (held < nodes_[node].length && (held < runs_[run].length || held < equal)) {
      const bool cut = held < runs_[run].length;
      node = split(node, held);
      if (cut) run = nodes_[node].runs.front();
    }
    add_holder(run);
    holder.pieces_.push_back({run, held});
    holder.blocks += held;
    at = node;
  }
  holder.named = holder.blocks;
}

void PrefixCache::take(std::int64_t n) {
  STOWAGE_ASSERT(n <= free());
  if (order_ == FreeOrder::unnamed_first) {
    const std::int64_t plain = std::min(n, unnamed_);
    unnamed_ -= plain;
    n -= plain;
  }
  while (n > 0) {
    const RunId id = head_;
    Run& run = runs_[id];
    const std::int64_t taken = std::min(n, run.length);  // from its end: the last block was freed first
    (run.node == none ? unnamed_ : idle_) -= taken;
    run.length -= taken;
    n -= taken;
    if (run.length > 0) return;
    unlink(id);
    drop_run(id);
  }
}

void PrefixCache::name(Holder& holder, const BlockContent& content, std::int64_t blocks) {
  STOWAGE_ASSERT(blocks <= holder.blocks);
  while (holder.named < blocks) {
    const RunId last = holder.pieces_.empty() ? none : holder.pieces_.back().run;
    NodeId at = last == none ? root : runs_[last].node;
    const std::int64_t most = blocks - holder.named;
    const std::int64_t inside = last == none ? 0 : runs_[last].length;
    if (inside < nodes_[at].length) at = split(at, inside);  // the content parts here, or another copy begins
    const NodeId next = child(at, content, holder.named);
    if (next != none) {
      const std::int64_t equal = common(nodes_[next], 0, content, most);
      const NodeId node = equal < nodes_[next].length ? split(next, equal) : next;
      const RunId copy = new_run(node, equal, 1);
      nodes_[node].runs.push_back(copy);
      holder.pieces_.push_back({copy, equal});
      holder.named += equal;
      continue;
    }
    const Stretch s = stretch_at(content, holder.named);
    const std::int64_t fresh = std::min(most, s.length);
    Node& node = nodes_[at];
    const bool grows = at != root && node.children == 0 && node.runs.size() == 1 && runs_[last].holders == 1 &&
                       node.shared == s.shared && node.owner == s.owner;
    if (grows) {
      if (s.shared) {
        const std::int64_t known = (node.depth + node.length - 1) / per_unit_ + 1;
        const std::int64_t end = (node.depth + node.length + fresh - 1) / per_unit_ + 1;
        node.units.insert(node.units.end(), content.units.begin() + known, content.units.begin() + end);
      }
      node.length += fresh;
      runs_[last].length += fresh;
      holder.pieces_.back().blocks += fresh;
    } else {
      const NodeId leaf = add_node(at, content, holder.named, fresh);
      const RunId run = new_run(leaf, fresh, 1);
      nodes_[leaf].runs.push_back(run);
      holder.pieces_.push_back({run, fresh});
    }
    holder.named += fresh;
  }
}

void PrefixCache::discard(Holder& holder, std::int64_t named) {
  STOWAGE_ASSERT(holder.named == 0 && named <= holder.blocks);
  free_unnamed(holder.blocks - named);
  holder.blocks = 0;
  if (named == 0) return;
  idle_ += named;
  if (tail_ != none && runs_[tail_].node == nobodys) runs_[tail_].length += named;
  else link_before(new_run(nobodys, named, 0), none);
}

void PrefixCache::release(Holder& holder) {
  free_unnamed(holder.blocks - holder.named);
  for (auto piece = holder.pieces_.rbegin(); piece != holder.pieces_.rend(); ++piece) {
    RunId id = piece->run;
    for (std::int64_t left = piece->blocks; left > 0;) {
      const RunId above = runs_[id].above;
      left -= runs_[id].length;
      STOWAGE_ASSERT(left >= 0);
      remove_holder(id);
      id = above;
    }
  }
  holder = {};
}
}  // namespace stowage
