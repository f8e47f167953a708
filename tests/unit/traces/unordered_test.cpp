// A trace whose rows are in no order is the same trace: its ledger by brute force, its requests by the sorted file.
#include <algorithm>

#include "base/rng.hpp"
#include "helpers.hpp"

namespace stowage::test {
namespace {
struct Row {
  std::int64_t at;
  int prompt;
};

std::string text_of(const std::vector<Row>& rows) {
  std::string out = std::string(canonical_header) + "\n";
  for (const Row& r : rows) out += std::to_string(r.at) + "," + std::to_string(r.prompt) + ",5\n";
  return out;
}

TEST(Unordered, IsTheSortedTraceWithALedgerOfItsOwn) {
  Rng rng(5, "unordered");
  for (int round = 0; round < 50; ++round) {
    std::vector<Row> rows;
    std::int64_t at = 1'000'000;
    for (int i = 0; i < 40; ++i) rows.push_back({at += 1 + static_cast<std::int64_t>(rng.below(1000)), i + 1});
    const std::vector<Row> sorted = rows;
    // From a few neighbours that change places to rows that lie anywhere.
    for (std::size_t i = rows.size() - 1; i > 0; --i)
      if (rng.below(50) < static_cast<std::uint64_t>(round) + 1) std::swap(rows[i], rows[rng.below(i + 1)]);
    std::uint64_t late = 0;
    for (std::size_t i = 0; i < rows.size(); ++i)
      late += std::any_of(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(i),
                          [&](const Row& above) { return above.at > rows[i].at; });
    for (const std::uint64_t repeat : {1U, 3U}) {
      const Opened given = open_text(text_of(rows), {.rate_scale = 2, .repeat = repeat}),
                   ordered = open_text(text_of(sorted), {.rate_scale = 2, .repeat = repeat});
      EXPECT_EQ(given.ledger.out_of_order, late);
      EXPECT_EQ(given.ledger.first_ns, sorted.front().at);
      EXPECT_EQ(given.ledger.last_ns, sorted.back().at);
      EXPECT_EQ(listed(given.requests), listed(ordered.requests));
    }
  }
}
}  // namespace
}  // namespace stowage::test
