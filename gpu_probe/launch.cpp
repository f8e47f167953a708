// What it costs to start work: the CPU's side of a launch, and the GPU's time a kernel, eager and from a graph.
#include <array>
#include <chrono>

#include "gpu_probe/basic_kernels.hpp"
#include "gpu_probe/cuda_timer.hpp"
#include "gpu_probe/probe.hpp"

namespace stowage::probe {
namespace {
template <class F>
double cpu_us(F&& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

GraphExec chain_of(int nodes, cudaStream_t stream) {
  return capture_graph(stream, [nodes](cudaStream_t s) {
    for (int i = 0; i < nodes; ++i) launch_empty(s);
  });
}

/// CPU time of one call, onto an idle stream and (as an engine does) behind others that are queued.
void eager(Context& context, CudaTimer& timer) {
  const int rounds = context.quick() ? 20 : 100;
  Series idle, queued, sync, event;
  for (int i = 0; i < 50; ++i) launch_empty(timer.stream());
  CUDA_CHECK(cudaStreamSynchronize(timer.stream()));
  const Event mark = make_event();
  for (int round = 0; round < rounds && !context.interrupted(); ++round) {
    for (int i = 0; i < 5; ++i) {
      idle.add(cpu_us([&] { launch_empty(timer.stream()); }));
      sync.add(cpu_us([&] { CUDA_CHECK(cudaStreamSynchronize(timer.stream())); }));
    }
    for (int i = 0; i < 50; ++i) queued.add(cpu_us([&] { launch_empty(timer.stream()); }));
    event.add(cpu_us([&] { CUDA_CHECK(cudaEventRecord(mark.get(), timer.stream())); }));
    CUDA_CHECK(cudaStreamSynchronize(timer.stream()));
  }
  context.add(figure("eager_cpu", {{"stream", std::string("idle")}}, "us", idle));
  context.add(figure("eager_cpu", {{"stream", std::string("busy")}}, "us", queued));
  context.add(figure("event_record_cpu", {}, "us", event));
  context.add(
      figure("launch_to_sync_cpu", {}, "us", sync));  // launch returned, until the empty kernel is known to be done
  for (const int kernels : {1, 100, 400}) {
    const Series gpu = measure(
        [&](int) {
          for (int i = 0; i < kernels; ++i) launch_empty(timer.stream());
        },
        context.rule(), timer, context.rng());
    context.add(figure("eager_gpu", {{"kernels", std::int64_t{kernels}}}, "us", gpu,
                       {{"us_per_kernel", gpu.summary().median / kernels}}));
  }
  // No gate: the CPU launches while the GPU runs, as in an eager engine. What takes longer of the two decides.
  CudaTimer free_running({.flush_l2 = false, .gate = false, .clock = false});
  const Series paced = measure(
      [&](int) {
        for (int i = 0; i < 400; ++i) launch_empty(free_running.stream());
      },
      context.rule(), free_running, context.rng());
  context.add(figure("eager_free_running", {{"kernels", std::int64_t{400}}}, "us", paced,
                     {{"us_per_kernel", paced.summary().median / 400}}));
}

void graphs(Context& context, CudaTimer& timer) {
  for (const int nodes : {1, 100, 500}) {
    if (context.interrupted()) return;
    const Keys keys = {{"nodes", std::int64_t{nodes}}};
    const GraphExec graph = chain_of(nodes, timer.stream());
    Series make;  // capture and instantiate
    for (int i = 0; i < (context.quick() ? 3 : 10); ++i)
      make.add(cpu_us([&] { const GraphExec one = chain_of(nodes, timer.stream()); }));
    const auto replay = [&](int) { CUDA_CHECK(cudaGraphLaunch(graph.get(), timer.stream())); };
    const Series gpu = measure(replay, context.rule(), timer, context.rng());
    Series cpu, whole;
    for (int i = 0; i < (context.quick() ? 50 : 300) && !context.interrupted(); ++i) {
      double launch_us = 0;
      whole.add(cpu_us([&] {
        launch_us = cpu_us([&] { replay(i); });
        CUDA_CHECK(cudaStreamSynchronize(timer.stream()));
      }));
      cpu.add(launch_us);
    }
    context.add(figure("graph_make_cpu", keys, "us", make));
    context.add(figure("graph_cpu", keys, "us", cpu));
    context.add(figure("graph_gpu", keys, "us", gpu, {{"us_per_kernel", gpu.summary().median / nodes}}));
    context.add(figure("graph_launch_and_sync", keys, "us", whole));
  }
}

std::optional<std::string> unsupported(const Context&) { return std::nullopt; }

void run(Context& context) {
  CudaTimer timer;
  eager(context, timer);
  graphs(context, timer);
}
}  // namespace

const Part launch_part = {
    "launch", "kernel launch: CPU cost and GPU time, eager and CUDA graphs of 1, 100, 500 kernels", unsupported, run};

}  // namespace stowage::probe
