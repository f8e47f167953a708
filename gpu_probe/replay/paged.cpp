// PagedAttention for real: K and V of each layer as one array of blocks, the block table sent to the GPU with every
// step. With prefix caching rows of several requests name the same blocks: nothing is copied.
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
        sharing_(BlockPool::sharing_of(setup.config->manager)),
        fault_(setup.fault),
        host_table_(static_cast<std::size_t>(max_batch_ * BlockPool::row_length(block_, max_len_)) *
                    sizeof(std::int32_t)),
        pool_(fresh_pool()) {
    for (int i = 0; i < 2 * setup.layers; ++i)
      tensors_.emplace_back(static_cast<std::size_t>(blocks_ * block_ * row_) * 2);
    table_ = probe::DeviceBuffer(host_table_.bytes());
    CUDA_CHECK(cudaMemset(table_.as<>(), 0, table_.bytes()));
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

  void reset() override { pool_ = fresh_pool(); }
  void upload(const IterationPlan&, cudaStream_t stream) override {
    // Rows of this batch, columns of its longest request; the GPU has read what was sent before.
    const std::size_t pitch = static_cast<std::size_t>(pool_.row_blocks()) * sizeof(std::int32_t);
    const std::size_t from = static_cast<std::size_t>(pool_.first_row()) * pitch;
    CUDA_CHECK(cudaMemcpy2DAsync(table_.as<std::byte>() + from, pitch, host_table_.as<std::byte>() + from, pitch,
                                 static_cast<std::size_t>(pool_.columns()) * sizeof(std::int32_t),
                                 static_cast<std::size_t>(pool_.rows()), cudaMemcpyHostToDevice, stream));
  }
  [[nodiscard]] std::int64_t held_bytes() const override { return (pool_.used() + pool_.cached()) * block_bytes_; }
  [[nodiscard]] std::int64_t units_held() const override { return pool_.used(); }

 private:
  [[nodiscard]] BlockPool fresh_pool() const {
    return {blocks_,
            block_,
            max_batch_,
            max_len_,
            {host_table_.as<std::int32_t>(), host_table_.bytes() / sizeof(std::int32_t)},
            sharing_,
            fault_};
  }
  /// The first block of the last request is taken for the one after it, once.
  void plant(const IterationPlan& plan) {
    const PlannedRequest& victim = plan.requests.back();
    if (victim.stored < block_) return;
    std::int32_t& entry = pool_.table()[static_cast<std::size_t>(victim.sid * pool_.row_blocks())];
    entry = static_cast<std::int32_t>((entry + 1) % blocks_);
    fault_ = Fault::none;
  }

  std::int64_t row_, block_, block_bytes_, blocks_, max_batch_, max_len_;
  std::optional<FreeOrder> sharing_;
  Fault fault_;
  probe::PinnedBuffer host_table_;
  BlockPool pool_;
  std::vector<probe::DeviceBuffer> tensors_;
  probe::DeviceBuffer table_;
};
}  // namespace

std::unique_ptr<KvStore> make_paged(const StoreSetup& setup) { return std::make_unique<PagedStore>(setup); }

}  // namespace stowage::replay
