// vAttention for real: virtual tensors with a slot for every request, physical pages made at start-up and mapped when
// the engine says so, by the serving thread or by one beside it (driver.hpp wraps the calls).
//
// Safety: an iteration is waited for before the next one's plan is carried out, so `now` work meets an idle GPU; the
// background thread only maps addresses that nothing has used yet and unmaps what no running request's tokens reach.
#include <fmt/format.h>

#include <chrono>
#include <numeric>
#include <stdexcept>

#include "gpu_probe/driver.hpp"
#include "gpu_probe/replay/kv_store.hpp"
#include "gpu_probe/replay/mapper.hpp"
#include "gpu_probe/replay/page_book.hpp"
#include "gpu_probe/replay/start_rows.hpp"
#include "sim/kv/vattention_shape.hpp"

namespace stowage::replay {
namespace {
using Clock = std::chrono::steady_clock;

/// Adds the time a call takes to `sum_ns`.
template <class Call>
void timed(std::int64_t& sum_ns, Call&& call) {
  const auto start = Clock::now();
  call();
  sum_ns += std::chrono::nanoseconds(Clock::now() - start).count();
}

/// The tensors and their pages.
class Pages final : public PageCalls {
 public:
  Pages(int device, std::size_t page, std::int64_t tensors, std::int64_t blocks, std::int64_t slots,
        std::int64_t slot_blocks)
      : slot_blocks_(slot_blocks) {
    const auto start = Clock::now();
    const auto range_bytes = static_cast<std::size_t>(slots * slot_blocks) * page;
    for (std::int64_t t = 0; t < tensors; ++t) tensors_.emplace_back(device, range_bytes, page);
    handles_.reserve(static_cast<std::size_t>(blocks * tensors));
    for (std::int64_t i = 0; i < blocks * tensors; ++i) handles_.emplace_back(device, page);
    create_s = std::chrono::duration<double>(Clock::now() - start).count();
  }

  void map(std::int64_t slot, std::int64_t block, std::int64_t physical) override {
    const std::size_t page = index(slot, block), count = tensors_.size();
    for (std::size_t t = 0; t < count; ++t) {
      const probe::VmmHandle& handle = handles_[static_cast<std::size_t>(physical) * count + t];
      timed(work.map_ns, [&] { tensors_[t].map(page, handle); });
      timed(work.set_access_ns, [&] { tensors_[t].set_access(page, 1); });
    }
    work.maps += count;
    work.set_accesses += count;
  }
  void unmap(std::int64_t slot, std::int64_t block) override {
    const std::size_t page = index(slot, block);
    for (probe::VmmRange& tensor : tensors_) timed(work.unmap_ns, [&] { tensor.unmap(page, 1); });
    work.unmaps += tensors_.size();
  }
  [[nodiscard]] const probe::VmmRange& tensor(std::size_t t) const { return tensors_[t]; }

  DriverWork work;
  double create_s = 0;

 private:
  [[nodiscard]] std::size_t index(std::int64_t slot, std::int64_t block) const {
    return static_cast<std::size_t>(slot * slot_blocks_ + block);
  }
  std::int64_t slot_blocks_;
  std::vector<probe::VmmHandle> handles_;  // released after the tensors have unmapped them
  std::vector<probe::VmmRange> tensors_;
};

class MappedStore final : public KvStore {
 public:
  explicit MappedStore(const StoreSetup& setup)
      : layers_(setup.layers),
        sliced_(setup.config->manager.choice("layout") == "sliced"),
        row_(std::int64_t{setup.shape->kv_heads} * setup.shape->head_dim),
        stride_(sliced_ ? row_ * layers_ : row_),
        page_(setup.config->manager.integer("page")),
        block_bytes_(vattention_block_bytes(*setup.config)),
        tensors_(vattention_tensors(*setup.config)),
        page_tokens_(vattention_page_tokens(*setup.config)),
        max_len_(setup.config->scheduler.max_model_len),
        slots_(setup.config->scheduler.max_batch),
        slot_blocks_(blocks_of_slot(*setup.config)),
        pages_(setup.device, static_cast<std::size_t>(page_), tensors_, setup.config->kv.pool.count() / block_bytes_,
               slots_, slot_blocks_),
        book_(setup.config->kv.pool.count() / block_bytes_, slots_, slot_blocks_, pages_),
        start_(slots_),
        fault_(setup.fault),
        mapper_([device = setup.device] { CUDA_CHECK(cudaSetDevice(device)); }) {}
  ~MappedStore() override {
    try {
      mapper_.wait();
    } catch (...) {  // NOLINT(bugprone-empty-catch): the run that it spoilt has said so
    }
  }

  [[nodiscard]] std::vector<probe::KvView> views() const override {
    std::vector<probe::KvView> out;
    for (std::size_t layer = 0; layer < static_cast<std::size_t>(layers_); ++layer) {
      probe::KvView v;
      const std::size_t k = sliced_ ? 0 : 2 * layer;
      const std::int64_t offset = sliced_ ? static_cast<std::int64_t>(layer) * row_ : 0;
      v.k = pages_.tensor(k).as<std::uint16_t>() + offset;
      v.v = pages_.tensor(k + 1).as<std::uint16_t>() + offset;
      v.token_stride = stride_;
      v.start = start_.device();
      v.extent_rows = slots_ * slot_blocks_ * page_ / (stride_ * 2);
      out.push_back(v);
    }
    return out;
  }

  void wait_beside() override {
    if (!working_) return;
    working_ = false;
    mapper_.wait();
  }
  void prepare(const IterationPlan& plan) override {
    book_.apply_now(plan.now, plan.beside);
    for (const MemoryOp& e : plan.now)
      if (e.kind == MemoryOp::Kind::place) start_.set(e.sid, start_of(e.slot));
    if (fault_ == Fault::page_off_by_one) plant(plan);
  }
  void start_beside() override {
    // Where nothing is to be done beside the step the thread sleeps on.
    if (!book_.has_beside()) return;
    working_ = true;
    mapper_.start([this] {
      const std::int64_t before = pages_.work.busy_ns();
      book_.run_beside();
      pages_.work.beside_ns += pages_.work.busy_ns() - before;
    });
  }
  void reset() override {
    wait_beside();
    book_.reset();
  }
  void upload(const IterationPlan&, cudaStream_t stream) override { start_.upload(stream); }
  void finish(std::span<const MemoryOp> now, std::span<const MemoryOp> beside) override {
    wait_beside();
    book_.apply_now(now, beside);
    book_.run_beside();
  }
  [[nodiscard]] std::int64_t held_bytes() const override { return book_.mapped() * block_bytes_; }
  [[nodiscard]] std::int64_t units_held() const override { return book_.mapped() * tensors_; }
  [[nodiscard]] DriverWork driver_work() const override { return pages_.work; }
  [[nodiscard]] std::uint64_t hurried() const override {
    return book_.hurried() * static_cast<std::uint64_t>(tensors_);
  }
  [[nodiscard]] double create_s() const override { return pages_.create_s; }

 private:
  /// Blocks a slot may need, rounded up until its bytes are whole tokens too: the kernels count in rows.
  [[nodiscard]] std::int64_t blocks_of_slot(const RunConfig& config) const {
    const std::int64_t per_page = vattention_page_tokens(config);
    const std::int64_t need = (config.scheduler.max_model_len + per_page - 1) / per_page;
    const std::int64_t whole = std::lcm(page_, stride_ * 2) / page_;
    return (need + whole - 1) / whole * whole;
  }
  [[nodiscard]] std::int64_t start_of(std::int64_t slot) const { return slot * slot_blocks_ * page_ / 2; }
  /// One request reads from 16 tokens after where its K and V were written, once; never beyond what is mapped, because
  /// touching that would end the process.
  void plant(const IterationPlan& plan) {
    const PlannedRequest& victim = plan.requests.back();
    const std::int64_t mapped_tokens = book_.mapped_of(book_.slot_of(victim.sid)) * page_tokens_;
    if (!victim.decoding || mapped_tokens < max_len_ + 16) return;
    start_.set(victim.sid, start_of(book_.slot_of(victim.sid)) + 16 * stride_);
    fault_ = Fault::none;
  }

  int layers_;
  bool sliced_;
  std::int64_t row_, stride_;  // elements: one token of one layer; from a token to the next
  std::int64_t page_, block_bytes_, tensors_, page_tokens_, max_len_, slots_, slot_blocks_;
  Pages pages_;
  PageBook book_;
  StartRows start_;
  Fault fault_;
  bool working_ = false;
  Mapper mapper_;
};
}  // namespace

std::unique_ptr<KvStore> make_mapped(const StoreSetup& setup) { return std::make_unique<MappedStore>(setup); }

}  // namespace stowage::replay
