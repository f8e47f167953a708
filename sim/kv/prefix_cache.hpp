#pragma once
// Automatic prefix caching over a pool of equal KV blocks, as vLLM's block pool does it (vllm/v1/core/block_pool.py,
// kv_cache_utils.py): which blocks hold which content, who holds them, and in which order free ones are taken.
//
// A block is equal to another only when everything before it is equal too: content is a path from the root of a tree.
// Paths, holdings and the free list are kept as runs of blocks (a radix tree), so that looking a prompt up, admitting,
// releasing and evicting cost time by the number of runs and not of blocks.
//
// Rules:
//   - only content that was named (registered) can be found; a block may be found as soon as it is named;
//   - two blocks of equal content are both kept; a search gives the one that was named first of those still there;
//   - taking blocks takes the head of the free list; a named block that is taken loses its content, nowhere else;
//   - a holder releases its last block first. Blocks that nobody else holds go to the end of the free list. Those
//     without content go to its head instead where `FreeOrder::unnamed_first` (vLLM 0.24 and later).
#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace stowage {

enum class FreeOrder : std::uint8_t { unnamed_first, as_freed };

/// What a request's blocks hold. Leading blocks: `units`, one for every `blocks_per_unit` blocks (a constant of the
/// cache); equal prefixes have equal units. Behind them private content: of `turns[i].owner` up to its block `end`. The
/// last turn is the request's own and has no end.
struct BlockContent {
  struct Turn {
    std::uint64_t owner = 0;
    std::int64_t end = 0;  // first block that is not this owner's
  };
  std::span<const std::uint64_t> units;
  std::int64_t unit_blocks = 0;  // that they stand for: all of their blocks, or fewer of the last one's
  std::span<const Turn> turns;
  std::uint64_t salt = 0;  // prompts with other salts have nothing in common
};

class PrefixCache {
 public:
  /// Blocks of one request, first block first. `named` of its `blocks` have their content.
  struct Holder {
    std::int64_t blocks = 0, named = 0;

   private:
    friend class PrefixCache;
    struct Piece {
      std::uint32_t run;  // the last of the runs
      std::int64_t blocks;
    };
    std::vector<Piece> pieces_;
  };
  struct Hit {
    std::int64_t blocks = 0;  // found
    std::int64_t idle = 0;    // of them held by nobody: holding them takes them from the free list
  };

  PrefixCache(std::int64_t blocks, std::int64_t blocks_per_unit, FreeOrder order);

  /// Blocks that nobody holds, with content or without.
  [[nodiscard]] std::int64_t free() const { return unnamed_ + idle_; }
  /// Of them those with content.
  [[nodiscard]] std::int64_t idle() const { return idle_; }
  /// Blocks without content that are taken before any with content.
  [[nodiscard]] std::int64_t unnamed_first() const { return order_ == FreeOrder::unnamed_first ? unnamed_ : 0; }
  /// Holders beyond the first, in sum over all blocks.
  [[nodiscard]] std::int64_t surplus() const { return surplus_; }

  /// The blocks of one of the units of later contents. Before any was named.
  void set_blocks_per_unit(std::int64_t blocks) { per_unit_ = blocks; }

  /// How many of the first `limit` blocks are there. Changes nothing.
  [[nodiscard]] Hit find(const BlockContent& content, std::int64_t limit) const;
  /// An empty holder gets the first `blocks` of this content, which find() has just found.
  void hold(Holder& holder, const BlockContent& content, std::int64_t blocks);
  /// `n` blocks less in the free list, for holders that adopt() them later, without content so far. n <= free().
  void take(std::int64_t n);
  void adopt(Holder& holder, std::int64_t n) { holder.blocks += n; }
  /// The holder's first `blocks` blocks have this content from now on; nothing happens to those that had it before.
  void name(Holder& holder, const BlockContent& content, std::int64_t blocks);
  /// All of its blocks, the last one first; the holder is empty then.
  void release(Holder& holder);
  /// The same of a holder without named blocks. Its first `named` would have content that nobody will ask for: they are
  /// kept as long, and cost nothing.
  void discard(Holder& holder, std::int64_t named);

  /// Runs and tree nodes alive: what the cache needs in memory.
  [[nodiscard]] std::size_t runs() const { return runs_.size() - free_runs_.size(); }
  [[nodiscard]] std::size_t nodes() const { return nodes_.size() - free_nodes_.size(); }

 private:
  using NodeId = std::uint32_t;
  using RunId = std::uint32_t;
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  static constexpr NodeId root = 0, nobodys = none - 1;  // content that nobody will ask for

  /// Blocks in a row that are the first `length` of a node's content, held alike and side by side in the free list.
  struct Run {
    NodeId node = none;  // none: blocks without content, in the free list only
    std::int64_t length = 0;
    std::int32_t holders = 0;
    RunId above = none;               // what was one run with this before the node was split
    RunId previous = none, next = none;  // in the free list
  };
  /// Content of `length` blocks in a row behind that of `parent`, of one kind: shared units or one owner's.
  struct Node {
    NodeId parent = none;
    std::int64_t depth = 0, length = 0;  // blocks before it, blocks of it
    bool shared = false;
    std::uint64_t owner = 0;             // when not shared
    std::vector<std::uint64_t> units;    // when shared: from unit depth / blocks_per_unit on
    std::vector<RunId> runs;             // in the order in which they were named
    std::uint64_t salt = 0;              // below the root
    std::int32_t children = 0;
  };
  struct Key {
    NodeId parent;
    bool shared;
    std::uint64_t content, salt;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& k) const;
  };
  /// The content from one block on, as far as it is of one kind.
  struct Stretch {
    bool shared = false;
    std::uint64_t owner = 0;
    std::int64_t length = 0;
  };

  [[nodiscard]] Stretch stretch_at(const BlockContent& content, std::int64_t depth) const;
  [[nodiscard]] Key key_at(NodeId parent, const BlockContent& content, std::int64_t depth) const;
  [[nodiscard]] Key key_of(NodeId node) const;
  [[nodiscard]] NodeId child(NodeId parent, const BlockContent& content, std::int64_t depth) const;
  /// Blocks that the node, from its block `from` on, has in common with the content there; at most `most`.
  [[nodiscard]] std::int64_t common(const Node& node, std::int64_t from, const BlockContent& content,
                                    std::int64_t most) const;
  [[nodiscard]] NodeId new_node();
  [[nodiscard]] NodeId add_node(NodeId parent, const BlockContent& content, std::int64_t depth, std::int64_t length);
  /// The first `at` blocks of a node become a node of their own, which is returned; `node` keeps the rest.
  NodeId split(NodeId node, std::int64_t at);
  void prune(NodeId node);

  [[nodiscard]] RunId new_run(NodeId node, std::int64_t length, std::int32_t holders);
  void drop_run(RunId run);
  void add_holder(RunId run);
  void remove_holder(RunId run);
  void link_before(RunId run, RunId next);  // next == none: at the end of the free list
  void unlink(RunId run);
  void free_unnamed(std::int64_t n);

  std::int64_t per_unit_;
  FreeOrder order_;
  std::int64_t unnamed_ = 0, idle_ = 0, surplus_ = 0;
  std::vector<Node> nodes_;
  std::vector<NodeId> free_nodes_;
  std::vector<Run> runs_;
  std::vector<RunId> free_runs_;
  RunId head_ = none, tail_ = none;  // the free list; with unnamed_first all blocks without content come before it
  std::unordered_map<Key, NodeId, KeyHash> index_;
};
}  // namespace stowage
