#pragma once
// Ways to run the parts of a sweep beyond this process. Each part is `stowage sweep ... --shard I/N`, whose journal is
// all that counts: an engine only starts parts, and starts them again when a machine is lost.
#include "cli/options.hpp"
#include "planner/sweep.hpp"

namespace stowage::cli {

/// Submits (slurm) or starts (parallel) all parts and waits for them. Throws InputError for an engine that is not
/// known, EnvironmentError when it is not installed or its parts failed.
void run_engine(const Sweep& sweep, const Options& options);
}  // namespace stowage::cli
