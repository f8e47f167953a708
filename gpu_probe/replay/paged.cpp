// PagedAttention for real: K and V of each layer as one array of blocks, the block table sent to the GPU with every
// step.
#include <cstring>

#include "gpu_probe/replay/block_pool.hpp"
#include "gpu_probe/replay/kv_store.hpp"

namespace stowage::replay {
namespace {

class PagedStore final : public KvStore {
 public:
  explicit PagedStore(const StoreSetup& setup)
      : row_(std::int64_t{setup.shape->kv_heads} * setup.shape->head_dim),
        block_(setup.config->manager.integer("block_size")),
        block_bytes_(block_ * setup.config->kv.bytes_per_token.count()),
        blocks_(setup.config->kv.pool.count() / block_bytes_),
        max_batch_(setup.config->scheduler.max_batch),
        max_len_(setup.config->scheduler.max_model_len),
        pool_(blocks_, block_, max_batch_, max_len_),
        fault_(setup.fault) {
    for (int i = 0; i < 2 * setup.layers; ++i)
      tensors_.emplace_back(static_cast<std::size_t>(blocks_ * block_ * row_) * 2);
    const std::size_t table_bytes = pool_.table().size_bytes();
    table_ = probe::DeviceBuffer(table_bytes);
    staging_ = probe::PinnedBuffer(table_bytes);
    CUDA_CHECK(cudaMemset(table_.as<>(), 0, table_bytes));
  }

  [[nodiscard]] std::vector<probe::KvView> views() const override {
    std::vector<probe::KvView> out;
    for (std::size_t i = 0; i < tensors_.size(); i += 2) {
      probe::KvView v;
      v.k = tensors_[i].as<>();
      v.v = tensors_[i + 1].as<>();
      v.block = static_cast<int>(block_);
      v.token_stride = row_;
      v.block_stride = block_ * row_;
      v.table = table_.as<std::int32_t>();
      v.table_stride = static_cast<int>(pool_.row_blocks());
      v.extent_rows = blocks_;
      out.push_back(v);
    }
    return out;
  }

  void prepare(const IterationPlan& plan) override {
    pool_.apply(plan);
    if (fault_ == Fault::block_off_by_one) plant(plan);
  }

  void reset() override { pool_ = BlockPool(blocks_, block_, max_batch_, max_len_); }
  void upload(const IterationPlan&, cudaStream_t stream) override {
    // The part of the table in use: rows of all residents, columns of the longest.
    const std::size_t pitch = static_cast<std::size_t>(pool_.row_blocks()) * sizeof(std::int32_t);
    const std::size_t width = static_cast<std::size_t>(pool_.columns_used()) * sizeof(std::int32_t);
    const auto rows = static_cast<std::size_t>(pool_.rows_used());
    const auto* from = reinterpret_cast<const std::byte*>(pool_.table().data());
    auto* to = staging_.as<std::byte>();
    for (std::size_t r = 0; r < rows; ++r) std::memcpy(to + r * pitch, from + r * pitch, width);
    CUDA_CHECK(cudaMemcpy2DAsync(table_.as<>(), pitch, to, pitch, width, rows, cudaMemcpyHostToDevice, stream));
  }
  [[nodiscard]] std::int64_t held_bytes() const override { return pool_.used() * block_bytes_; }
  [[nodiscard]] std::int64_t units_held() const override { return pool_.used(); }

 private:
  /// The first block of the last request is taken for the one after it, once.
  void plant(const IterationPlan& plan) {
    const PlannedRequest& victim = plan.requests.back();
    if (victim.stored < block_) return;
    std::int32_t& entry = pool_.table()[static_cast<std::size_t>(victim.sid * pool_.row_blocks())];
    entry = static_cast<std::int32_t>((entry + 1) % blocks_);
    fault_ = Fault::none;
  }

  std::int64_t row_, block_, block_bytes_, blocks_, max_batch_, max_len_;
  BlockPool pool_;
  Fault fault_;
  std::vector<probe::DeviceBuffer> tensors_;
  probe::DeviceBuffer table_;
  probe::PinnedBuffer staging_;
};
}  // namespace

std::unique_ptr<KvStore> make_paged(const StoreSetup& setup) { return std::make_unique<PagedStore>(setup); }

}  // namespace stowage::replay
