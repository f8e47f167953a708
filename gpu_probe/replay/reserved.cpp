// Fixed reservation for real: K and V of each layer in one cudaMalloc each, a request's region at the tokens the
// engine's allocator gave it.
#include <map>
#include <stdexcept>

#include "gpu_probe/replay/kv_store.hpp"
#include "gpu_probe/replay/start_rows.hpp"

namespace stowage::replay {
namespace {

class Reserved final : public KvStore {
 public:
  explicit Reserved(const StoreSetup& setup)
      : row_(std::int64_t{setup.shape->kv_heads} * setup.shape->head_dim),
        tokens_(setup.config->kv.pool.count() / setup.config->kv.bytes_per_token.count()),
        bytes_per_token_(setup.config->kv.bytes_per_token.count()),
        start_(setup.config->scheduler.max_batch) {
    for (int i = 0; i < 2 * setup.layers; ++i) tensors_.emplace_back(static_cast<std::size_t>(tokens_ * row_) * 2);
  }

  [[nodiscard]] std::vector<probe::KvView> views() const override {
    std::vector<probe::KvView> out;
    for (std::size_t i = 0; i < tensors_.size(); i += 2) {
      probe::KvView v;
      v.k = tensors_[i].as<>();
      v.v = tensors_[i + 1].as<>();
      v.token_stride = row_;
      v.start = start_.device();
      v.extent_rows = tokens_;
      out.push_back(v);
    }
    return out;
  }

  void prepare(const IterationPlan& plan) override {
    for (const MemoryOp& e : plan.now) {
      if (e.kind == MemoryOp::Kind::release) {
        const auto it = regions_.find(e.sid);
        held_ -= it->second.count;
        by_begin_.erase(it->second.begin);
        regions_.erase(it);
      } else if (e.kind == MemoryOp::Kind::place) {
        place(e);
      }
    }
  }
  void reset() override {
    regions_.clear();
    by_begin_.clear();
    held_ = 0;
  }
  void upload(const IterationPlan&, cudaStream_t stream) override { start_.upload(stream); }
  [[nodiscard]] std::int64_t held_bytes() const override { return held_ * bytes_per_token_; }
  [[nodiscard]] std::int64_t units_held() const override { return static_cast<std::int64_t>(regions_.size()); }

 private:
  struct Taken {
    std::int64_t begin, count;
  };
  void place(const MemoryOp& e) {
    // Two requests in one place would go unnoticed by anything but their tokens.
    const auto next = by_begin_.lower_bound(e.first);
    const bool clear = (next == by_begin_.end() || e.first + e.count <= next->first) &&
                       (next == by_begin_.begin() || std::prev(next)->first + std::prev(next)->second <= e.first);
    if (!clear || e.first < 0 || e.first + e.count > tokens_)
      throw std::logic_error("replay: the engine's regions overlap or leave the pool");
    by_begin_[e.first] = e.count;
    regions_[e.sid] = {e.first, e.count};
    held_ += e.count;
    start_.set(e.sid, e.first * row_);
  }

  std::int64_t row_, tokens_, bytes_per_token_;
  std::vector<probe::DeviceBuffer> tensors_;
  StartRows start_;
  std::map<Sid, Taken> regions_;
  std::map<std::int64_t, std::int64_t> by_begin_;
  std::int64_t held_ = 0;  // tokens
};
}  // namespace

std::unique_ptr<KvStore> make_reserved(const StoreSetup& setup) { return std::make_unique<Reserved>(setup); }

}  // namespace stowage::replay
