#pragma once
// What the engine does not do yet: the oracle alone, with prefix caching and two steps in flight, told step by step.
#include <limits>
#include <memory>
#include <stdexcept>

#include "tests/differential/hand.hpp"
#include "tests/oracle/replica.hpp"

namespace stowage::hand {

struct Ahead {
  std::shared_ptr<oracle::Replica> replica;  // keeps the rows' requests
  std::vector<oracle::StepLog> steps;
  OracleResult result;
  /// Of the request with this id.
  [[nodiscard]] const RequestRecord& of(std::uint64_t id) const {
    for (const RequestRecord& r : result.requests)
      if (r.id == id) return r;
    throw std::out_of_range("not completed");
  }
  /// Rows of each step: id, tokens before, tokens.
  [[nodiscard]] std::vector<std::vector<List>> rows() const {
    std::vector<std::vector<List>> out;
    for (const auto& step : steps) {
      out.emplace_back();
      for (const oracle::Row& row : step.rows)
        out.back().push_back({static_cast<std::int64_t>(row.sequence->record.id), row.before, row.tokens});
    }
    return out;
  }
  template <class Value>
  [[nodiscard]] List column(Value oracle::StepLog::*field) const {
    return hand::column(steps, field);
  }
};

/// `shapes` beside `requests`, by id; one that stops by itself ends sooner than its request says.
inline Ahead run_ahead(const RunConfig& config, std::vector<Request> requests,
                       std::vector<oracle::PromptShape> shapes = {}, oracle::Options options = {},
                       std::int64_t hash_tokens = 4) {
  shapes.resize(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    shapes[i].prompt = requests[i].prompt_tokens;
    shapes[i].output = requests[i].output_tokens;
    if (shapes[i].stop_at == 0) continue;
    requests[i].max_tokens = requests[i].output_tokens;
    requests[i].output_tokens = static_cast<std::int32_t>(shapes[i].stop_at);
  }
  const auto tokens = oracle::contents(shapes, hash_tokens);
  options.contents = &tokens;
  Ahead out;
  options.on_step = [&](const oracle::StepLog& step) { out.steps.push_back(step); };
  const std::shared_ptr<oracle::Replica> replica = oracle::make_replica(config, options);
  replica->start(requests.front().arrival_ns);
  for (const Request& q : requests) replica->deliver(q);
  replica->run_until(std::numeric_limits<std::int64_t>::max());
  out.result = replica->finish(replica->ended_ns());
  out.replica = replica;
  return out;
}
}  // namespace stowage::hand
