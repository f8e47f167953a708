#pragma once
// What `gpu_probe replay` was asked for, and the scenario made ready for a real GPU: one replica on one GPU, a model
// whose kernels are there, a pool that fits, requests written out. No CUDA in here.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gpu_probe/probe.hpp"
#include "scenario/scenario.hpp"

namespace stowage::replay {

struct ReplayOptions {
  std::string scenario;
  std::vector<std::string> managers;  // names or kinds; empty = all of the scenario
  std::vector<std::string> sets;      // --set a.b=v
  std::optional<std::uint64_t> seed;
  int layers = 0;  // 0 = all of the model
  int repeat = 2;  // warm passes
  bool cold = true;
  std::string output;
  std::string paged_loader = "gather";
  int device = 0;
  bool shared = false;
  std::string command_line;
};
/// Throws InputError (bad usage); `text` gets what --help prints, and is then all there is to do.
[[nodiscard]] ReplayOptions parse_replay_options(int argc, const char* const* argv, std::string& text);

struct Prepared {
  Scenario scenario;        // its runs are those asked for
  probe::ModelShape shape;  // with as many layers as run
  int model_layers = 0;
  bool offline = true;     // every request arrives at once
  bool pool_given = true;  // by kv_pool or kv_tokens; else the pool may be cut to what fits
  std::uint64_t requests = 0;
};
/// Throws InputError with all that cannot be replayed. `folder` (made when needed) gets the model's description with
/// --layers.
[[nodiscard]] Prepared prepare(const ReplayOptions& options, const std::string& folder);

/// Gives every run this pool. Throws InfeasibleError when a manager cannot work with it.
void set_pool(Scenario& scenario, Bytes pool);
/// Takes the pool that fits: as given, or cut to `room` where it was derived. Throws InfeasibleError.
void fit_pool(Prepared& prepared, Bytes room, std::vector<std::string>& notes);

/// Requests in arrival order, equal neighbours as one row; hashes made one with their salts. Of a workload in which
/// nobody waits for the end of others.
[[nodiscard]] std::vector<InlineRequests> written_out(const Workload& workload);

/// Why this manager cannot be run for real (a page below the driver's granularity, a block without a kernel), or empty.
[[nodiscard]] std::string store_problem(const RunConfig& config);

}  // namespace stowage::replay
