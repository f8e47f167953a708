// One thread, nothing else on the GPU: what each call costs.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <thread>

#include "gpu_probe/basic_kernels.hpp"
#include "gpu_probe/cuda_timer.hpp"
#include "gpu_probe/device.hpp"
#include "gpu_probe/vmm_steps.hpp"

namespace stowage::probe {
namespace {
std::int64_t i64(std::size_t n) { return static_cast<std::int64_t>(n); }

template <class T>
void shuffle(std::vector<T>& items, Rng& rng) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[rng() % i]);
}

/// The seven calls of a page's life, each timed.
struct Life {
  Series reserve, create, map, set_access, unmap, release, free;

  void live(int device, std::size_t bytes) {
    std::optional<VmmRange> range;
    VmmHandle handle;
    reserve.add(timed_us([&] { range.emplace(device, bytes, bytes); }));
    create.add(timed_us([&] { handle = VmmHandle(device, bytes); }));
    map.add(timed_us([&] { range->map(0, handle); }));
    set_access.add(timed_us([&] { range->set_access(0, 1); }));
    unmap.add(timed_us([&] { range->unmap(0, 1); }));
    release.add(timed_us([&] { handle.release(); }));
    free.add(timed_us([&] { range.reset(); }));
  }
};
}  // namespace

void vmm_granularities(Context& context) {
  const auto ask = [&](const char* name, CUmemAllocationProp prop) {
    for (const auto& [flag, kind] : {std::pair{CU_MEM_ALLOC_GRANULARITY_MINIMUM, "minimum"},
                                     std::pair{CU_MEM_ALLOC_GRANULARITY_RECOMMENDED, "recommended"}}) {
      std::size_t bytes = 0;
      if (driver().granularity(&bytes, &prop, flag) != CUDA_SUCCESS) continue;  // this kind of memory is not offered
      context.add(fact("granularity", {{"memory", std::string(name)}, {"kind", std::string(kind)}}, "bytes",
                       static_cast<double>(bytes)));
    }
  };
  CUmemAllocationProp prop = device_memory(context.device().index);
  ask("device", prop);
  prop.allocFlags.gpuDirectRDMACapable = 1;
  ask("device, rdma", prop);
  prop.allocFlags.gpuDirectRDMACapable = 0;
  prop.allocFlags.compressionType = CU_MEM_ALLOCATION_COMP_GENERIC;
  ask("device, compressible", prop);
  prop.allocFlags.compressionType = 0;
  prop.location = {};
  prop.location.type = CU_MEM_LOCATION_TYPE_HOST_NUMA;
  ask("host numa node 0", prop);
}

void vmm_by_handle_size(Context& context) {
  struct Size {
    std::size_t bytes;
    int samples;
    Life life;
  };
  std::vector<Size> sizes;
  for (std::size_t m = 2; m <= 1024; m *= 2) {  // 300 samples of 2 MiB down to 20 of 1 GiB
    const int samples = std::max(20, static_cast<int>(600 / m));
    sizes.push_back({m * mib, context.quick() ? samples / 4 : samples, {}});
  }
  for (Size& s : sizes) {  // warm-up
    Life warm;
    warm.live(context.device().index, s.bytes);
  }
  std::vector<Size*> turns;
  for (Size& s : sizes) turns.insert(turns.end(), static_cast<std::size_t>(s.samples), &s);
  shuffle(turns, context.rng());
  for (Size* s : turns) {
    if (context.interrupted()) break;
    s->life.live(context.device().index, s->bytes);
  }
  for (const Size& s : sizes) {
    if (s.life.free.size() == 0) continue;
    const Keys keys = {{"handle_bytes", i64(s.bytes)}};
    context.add(figure("reserve", keys, "us", s.life.reserve));
    context.add(figure("create", keys, "us", s.life.create));
    context.add(figure("map", keys, "us", s.life.map));
    context.add(figure("set_access", keys, "us", s.life.set_access));
    context.add(figure("unmap", keys, "us", s.life.unmap));
    context.add(figure("release", keys, "us", s.life.release));
    context.add(figure("free", keys, "us", s.life.free));
  }
}

void vmm_adjacent(Context& context) {
  constexpr std::size_t most = 128;
  const int device = context.device().index;
  const std::vector<VmmHandle> handles = create_handles(context, most, page_2mib);
  // One call over n adjacent pages: what a prefill needs.
  std::vector<std::size_t> turns;
  const int samples = context.quick() ? 10 : 40;
  for (std::size_t n = 1; n <= most; n *= 2) turns.insert(turns.end(), static_cast<std::size_t>(samples), n);
  shuffle(turns, context.rng());
  struct Times {
    Series map, set_access, unmap;
  };
  std::map<std::size_t, Times> adjacent;
  VmmRange range(device, most * page_2mib, page_2mib);
  for (const std::size_t n : turns) {
    if (context.interrupted()) return;
    Times& t = adjacent[n];
    t.map.add(timed_us([&] {
      for (std::size_t i = 0; i < n; ++i) range.map(i, handles[i]);
    }));
    t.set_access.add(timed_us([&] { range.set_access(0, n); }));
    t.unmap.add(timed_us([&] { range.unmap(0, n); }));
  }
  for (const auto& [n, t] : adjacent) {
    const Keys keys = {{"handles", i64(n)}, {"handle_bytes", i64(page_2mib)}};
    const auto each = [&, k = static_cast<double>(n)](const Series& s) {
      return Keys{{"us_per_handle", s.summary().median / k}};
    };
    context.add(figure("adjacent_map", keys, "us", t.map, each(t.map)));
    context.add(figure("adjacent_set_access", keys, "us", t.set_access, each(t.set_access)));
    context.add(figure("adjacent_unmap", keys, "us", t.unmap, each(t.unmap)));
  }
}

namespace {
/// One page in each of 64 tensors far apart: what a decode step needs when a request crosses a page. Each step maps the
/// page after the last one and keeps it (`lonely` false), as a growing request does, or maps it where nothing is mapped
/// within 64 MiB (`lonely`), as for a new request's first page: measured, that costs about 10 us more a page.
void grow_scattered(Context& context, bool lonely) {
  constexpr std::size_t tensors = 64;
  const std::size_t steps = context.quick() ? 12 : 32;
  const std::size_t stride = lonely ? 32 : 1;
  const std::vector<VmmHandle> handles = create_handles(context, lonely ? tensors : tensors * steps, page_2mib);
  std::vector<VmmRange> ranges;
  for (std::size_t t = 0; t < tensors; ++t) ranges.emplace_back(context.device().index, 1024 * page_2mib, page_2mib);
  Series map, access, unmap;
  const auto unmap_step = [&](std::size_t step) {
    unmap.add(timed_us([&] {
      for (VmmRange& r : ranges) r.unmap(step * stride, 1);
    }));
  };
  for (std::size_t step = 0; step < steps; ++step) {
    const double map_us = timed_us([&] {
      for (std::size_t t = 0; t < tensors; ++t) ranges[t].map(step * stride, handles[lonely ? t : step * tensors + t]);
    });
    const double access_us = timed_us([&] {
      for (VmmRange& r : ranges) r.set_access(step * stride, 1);
    });
    if (lonely || step > 0) {
      map.add(map_us);
      access.add(access_us);
    }
    if (lonely) unmap_step(step);
  }
  if (!lonely)
    for (std::size_t step = steps; step-- > 1;) unmap_step(step);  // the first page stays as the others' neighbour
  const Keys keys = {{"handles", i64(tensors)},
                     {"handle_bytes", i64(page_2mib)},
                     {"neighbour", std::string(lonely ? "none" : "mapped")}};
  const auto each = [](const Series& s) { return Keys{{"us_per_handle", s.summary().median / double{tensors}}}; };
  context.add(figure("scattered_map", keys, "us", map, each(map)));
  context.add(figure("scattered_set_access", keys, "us", access, each(access)));
  context.add(figure("scattered_unmap", keys, "us", unmap, each(unmap)));
}
}  // namespace

void vmm_scattered(Context& context) {
  grow_scattered(context, false);
  if (!context.interrupted()) grow_scattered(context, true);
}

/// A mapper that wakes up once in a while finds the CPU's caches cold, and maybe the core asleep: the same map and
/// set-access after a pause, waited out busy or asleep. No kernel runs.
void vmm_after_pause(Context& context) {
  const int samples = context.quick() ? 10 : 40;
  const VmmHandle handle(context.device().index, page_2mib);
  VmmRange range(context.device().index, page_2mib * 2, page_2mib);
  range.map(0, handle);
  range.set_access(0, 1);
  for (const bool asleep : {false, true})
    for (const int pause_us : {0, 1000, 10000}) {
      if (pause_us == 0 && asleep) continue;
      Series map, access, unmap;
      for (int i = 0; i < samples && !context.interrupted(); ++i) {
        const auto wait = std::chrono::microseconds(pause_us);
        const auto until = std::chrono::steady_clock::now() + wait;
        if (asleep)
          std::this_thread::sleep_for(wait);
        else
          while (std::chrono::steady_clock::now() < until) {}
        map.add(timed_us([&] { range.map(1, handle); }));
        access.add(timed_us([&] { range.set_access(1, 1); }));
        unmap.add(timed_us([&] { range.unmap(1, 1); }));
      }
      const Keys keys = {{"pause_us", std::int64_t{pause_us}}, {"host", std::string(asleep ? "asleep" : "busy")}};
      context.add(figure("after_pause_map", keys, "us", map));
      context.add(figure("after_pause_set_access", keys, "us", access));
      context.add(figure("after_pause_unmap", keys, "us", unmap));
    }
}

void vmm_by_live_handles(Context& context) {
  const std::size_t most = std::min<std::size_t>(usable_device_bytes() / page_2mib, context.quick() ? 4096 : 30 * 1024);
  constexpr std::size_t window = 128;  // calls just below each mark
  std::vector<std::size_t> marks;
  for (const std::size_t m : {std::size_t{128}, std::size_t{1024}, std::size_t{4096}, std::size_t{8192},
                              std::size_t{16384}, std::size_t{24576}, std::size_t{30720}})
    if (m <= most) marks.push_back(m);
  const std::size_t total = marks.back();
  std::map<std::size_t, Life> lives;
  const auto life_at = [&](std::size_t i) {  // of the mark whose window holds call i, or none
    const auto mark = std::upper_bound(marks.begin(), marks.end(), i);
    return mark != marks.end() && i + window >= *mark ? &lives[*mark] : nullptr;
  };
  VmmRange range(context.device().index, total * page_2mib, page_2mib);
  std::vector<VmmHandle> handles;
  handles.reserve(total);
  for (std::size_t i = 0; i < total && !context.interrupted(); ++i) {
    VmmHandle handle;
    const double create_us = timed_us([&] { handle = VmmHandle(context.device().index, page_2mib); });
    handles.push_back(std::move(handle));
    const double map_us = timed_us([&] { range.map(i, handles[i]); });
    const double access_us = timed_us([&] { range.set_access(i, 1); });
    if (Life* life = life_at(i)) {
      life->create.add(create_us);
      life->map.add(map_us);
      life->set_access.add(access_us);
    }
  }
  for (std::size_t i = handles.size(); i-- > 0;) {
    const double unmap_us = timed_us([&] { range.unmap(i, 1); });
    const double release_us = timed_us([&] { handles[i].release(); });
    if (Life* life = life_at(i)) {
      life->unmap.add(unmap_us);
      life->release.add(release_us);
    }
  }
  for (const auto& [mark, life] : lives) {
    const Keys keys = {{"live_handles", i64(mark)}, {"handle_bytes", i64(page_2mib)}};
    context.add(figure("live_create", keys, "us", life.create));
    context.add(figure("live_map", keys, "us", life.map));
    context.add(figure("live_set_access", keys, "us", life.set_access));
    context.add(figure("live_unmap", keys, "us", life.unmap));
    context.add(figure("live_release", keys, "us", life.release));
  }
}

void vmm_aliases(Context& context) {
  constexpr std::size_t aliases = 64;
  const VmmHandle handle(context.device().index, page_2mib);
  VmmRange range(context.device().index, aliases * page_2mib, page_2mib);
  Series map, access;
  for (std::size_t i = 0; i < aliases; ++i) {
    map.add(timed_us([&] { range.map(i, handle); }));
    access.add(timed_us([&] { range.set_access(i, 1); }));
  }
  // Written through the first address, read through every other: the sums must be equal, and not that of zeros.
  const Stream stream = make_stream();
  const DeviceBuffer sums(aliases * sizeof(unsigned long long));
  CUDA_CHECK(cudaMemsetAsync(sums.as<>(), 0, sums.bytes(), stream.get()));
  launch_fill_random(stream.get(), range.as<>(), page_2mib, context.rng()(), false);
  for (std::size_t i = 0; i < aliases; ++i)
    launch_checksum(stream.get(), range.as<>(i), page_2mib, sums.as<unsigned long long>() + i);
  std::array<unsigned long long, aliases> read = {};
  CUDA_CHECK(cudaMemcpyAsync(read.data(), sums.as<>(), sums.bytes(), cudaMemcpyDeviceToHost, stream.get()));
  CUDA_CHECK(cudaStreamSynchronize(stream.get()));
  const auto equal = std::count(read.begin(), read.end(), read[0]);
  const Keys keys = {{"aliases", i64(aliases)}, {"handle_bytes", i64(page_2mib)}};
  context.add(figure("alias_map", keys, "us", map));
  context.add(figure("alias_set_access", keys, "us", access));
  context.add(fact("alias_same_data", keys, "count", read[0] == 0 ? 0 : static_cast<double>(equal)));
}

void vmm_read_by_backing(Context& context) {
  constexpr std::size_t gib = 1024 * mib;
  const std::size_t bytes = std::min((usable_device_bytes() / 3) / gib, std::size_t{context.quick() ? 4U : 16U}) * gib;
  if (bytes == 0) return;
  const int device = context.device().index;
  CudaTimer timer;
  const DeviceBuffer plain(bytes), sink(sizeof(std::uint32_t));
  const std::vector<VmmHandle> small = create_handles(context, bytes / page_2mib, page_2mib);
  const std::vector<VmmHandle> large = create_handles(context, bytes / gib, gib);
  VmmRange in_order(device, bytes, page_2mib), shuffled(device, bytes, page_2mib), huge(device, bytes, gib);
  std::vector<std::size_t> places(small.size());
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
  shuffle(places, context.rng());
  for (std::size_t i = 0; i < small.size(); ++i) {  // the same handles at two addresses
    in_order.map(i, small[i]);
    shuffled.map(places[i], small[i]);
  }
  for (std::size_t i = 0; i < large.size(); ++i) huge.map(i, large[i]);
  in_order.set_access(0, in_order.pages());
  shuffled.set_access(0, shuffled.pages());
  huge.set_access(0, huge.pages());
  for (void* data : {plain.as<>(), in_order.as<>(), huge.as<>()})
    launch_fill_random(timer.stream(), data, bytes, context.rng()(), false);
  CUDA_CHECK(cudaStreamSynchronize(timer.stream()));
  const auto read = [&](const void* data) {
    return [&timer, &sink, data, bytes, sms = context.device().sms](int) {
      launch_read(timer.stream(), data, bytes, sink.as<std::uint32_t>(), sms);
    };
  };
  const std::array variants = {
      Variant{"cudaMalloc", read(plain.as<>())}, Variant{"2 MiB pages in order", read(in_order.as<>())},
      Variant{"2 MiB pages shuffled", read(shuffled.as<>())}, Variant{"1 GiB pages", read(huge.as<>())}};
  const std::vector<Series> series =
      measure_interleaved(std::span<const Variant>(variants), context.rule(2.0), timer, context.rng());
  for (std::size_t v = 0; v < variants.size(); ++v) {
    const double median_us = series[v].summary().median;
    context.add(figure("read_by_backing", {{"backing", variants[v].name}, {"bytes", i64(bytes)}}, "us", series[v],
                       {{"gbps", gbps(static_cast<double>(bytes), median_us)}}));
  }
}

}  // namespace stowage::probe
