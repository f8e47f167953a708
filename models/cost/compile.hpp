#pragma once
// From an operator graph and prices to the table the engine asks (StepCost), and to the bill of one step.
//
// Pipelines. A step of M tokens over p stages is cut into m = min(p, M) micro-batches of M / m rows; stage s takes d_s
// for one, handing on its rows takes c. Iterations follow each other while tokens of the last micro-batch are still on
// their way, so the time between two iterations of the same requests is
//   max(m x max_s d_s,  sum_s d_s + (p - 1) c)
// - the slowest stage is never idle, or a micro-batch's way through all stages (fewer micro-batches than stages: the
// bubble). Attention adds A x (its share of layers on the fullest stage) to the first and A / m to the second; the one
// that decides when stages are alike is taken: the second for m < p, else the first. Exact for stages of equal price
// and layers, at most the unevenness too high for others. Limits: prefill chunks are charged as if cut evenly too (a
// prompt alone in a pipeline of p stages then takes its p chunks one after another through all stages, as chunked
// prefill does); filling the pipeline after an idle gap is not charged apart; micro-batches are taken as equal.
#include <cstdint>
#include <string>
#include <vector>

#include "models/cost/operator_graph.hpp"

namespace stowage {

/// Non-decreasing in the step's tokens, requests and contexts when the prices are.
[[nodiscard]] StepCost compile_step(const OperatorGraph& graph, const OperatorPrices& prices,
                                    std::int64_t max_batched_tokens);

/// One line of the bill: an operator summed over all its kernels in the step.
struct OperatorPrice {
  std::string name;
  std::int64_t count = 0;       // kernels in the step
  double flops = 0, bytes = 0;  // one GPU's, whole step; of a collective: the message
  double ns = 0;                // on the critical path
  Bound bound = Bound::fixed;   // what decides the price
  Resource resource = Resource::launch;
  Stream stream = Stream::compute;
  double hidden_ns = 0;   // done beside the critical path
  bool measured = false;  // priced by a measurement
};
/// The bill of one step; its ns sum to compile_step(...).ns(shape) but for rounding in the last digits. With pipeline
/// stages, that of the way that decides: the slowest stage m times, or all stages once. Prefill attention is one line
/// of what the shape says it costs (StepCost::chunk_ns over its chunks).
[[nodiscard]] std::vector<OperatorPrice> bill_of_step(const OperatorGraph& graph, const OperatorPrices& prices,
                                                      const StepShape& shape);

/// Where the step's time goes: (resource, share of the whole), the greatest first. `stall_ns`: waiting for the memory
/// manager's mapping calls.
struct ResourceShare {
  Resource resource = Resource::launch;
  double ns = 0, share = 0;
};
[[nodiscard]] std::vector<ResourceShare> resource_shares(const std::vector<OperatorPrice>& bill, double stall_ns = 0);
}  // namespace stowage
