// Does every manager keep the contract of sim/kv/manager.hpp, whatever it is asked? One row of the registry a case.
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "sim/kv/registry.hpp"
#include "tests/support/manager_calls.hpp"

namespace {
using namespace stowage;

constexpr std::int64_t bpt = 4096;  // 4 layers: one token is 512 B in each of 8 tensors

RunConfig config_for(const ManagerRow& row, std::string_view settings) {
  RunConfig config;
  config.scheduler.max_batch = 12;
  config.scheduler.max_model_len = 300;
  config.kv = {Bytes{1000 * bpt + 123}, Bytes{bpt}, 4, 1};
  config.manager = manager_spec(row, settings);
  return config;
}

struct Resident {
  Sid sid;
  std::int32_t prompt, output;
  std::int64_t tokens;
};

bool same(const Occupancy& a, const Occupancy& b) {
  return a.held == b.held && a.cached == b.cached && a.round_up == b.round_up;
}

/// 3,000 random calls (S6.1, S6.2, S6.3, S6.6) to two instances at once.
void exercise(const ManagerRow& row, std::string_view settings, unsigned seed) {
  SCOPED_TRACE(std::string(row.kind) + " " + std::string(settings));
  const RunConfig config = config_for(row, settings);
  ManagerCalls a(row, config), b(row, config);
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t n) { return static_cast<std::int32_t>(random() % n); };
  std::vector<Resident> residents;
  int admitted = 0, refused = 0;
  for (int call = 0; call < 3000; ++call) {
    const Occupancy before = a.occupancy();
    bool failed = false;
    const auto pick = residents.empty() ? 0U : static_cast<std::size_t>(random()) % residents.size();
    const int what = below(10);
    if (what < 3 && residents.size() < 12) {
      const std::int32_t prompt = 1 + below(150), output = 1 + below(140);
      if (a.manager().never_fits(prompt, output)) continue;
      const std::int64_t tokens = 1 + below(static_cast<std::uint32_t>(prompt));
      const Sid s = a.admit(prompt, output, tokens);
      ASSERT_EQ(b.admit(prompt, output, tokens), s) << "same calls, same answers";
      failed = s == no_sid;
      ++(failed ? refused : admitted);
      if (!failed) residents.push_back({s, prompt, output, tokens});
    } else if (what < 8 && !residents.empty()) {
      Resident& r = residents[pick];
      const std::int64_t most = r.prompt + r.output - 1;
      const std::int64_t tokens = std::min(most, r.tokens + 1 + below(40));
      failed = !a.extend(r.sid, tokens);
      ASSERT_EQ(!b.extend(r.sid, tokens), failed);
      if (!failed) r.tokens = tokens;
    } else if (!residents.empty()) {
      a.release(residents[pick].sid);
      b.release(residents[pick].sid);
      residents.erase(residents.begin() + static_cast<std::ptrdiff_t>(pick));
    }
    const Occupancy now = a.occupancy();
    ASSERT_TRUE(same(now, b.occupancy()));
    ASSERT_TRUE(!failed || same(now, before)) << "a failed call changed something, call " << call;
    ASSERT_GE(std::min({now.held, now.cached, now.round_up}), 0);
    ASSERT_LE(now.held + now.cached + now.round_up + a.manager().facts().rounding_bytes, config.kv.pool.count());
    std::int64_t stored = 0;
    for (const Resident& r : residents) stored += r.tokens * bpt;
    ASSERT_GE(now.held, stored) << "tokens without memory, call " << call;
  }
  EXPECT_GT(admitted, 100);
  EXPECT_GT(refused, 10) << "the pool was never tight: the test asks too little";
  for (const Resident& r : residents) a.release(r.sid);
  EXPECT_EQ(a.occupancy().held, 0);
  EXPECT_EQ(a.occupancy().round_up, 0);
}

class ManagerContract : public testing::TestWithParam<std::size_t> {};

TEST_P(ManagerContract, HoldsUnderRandomCalls) {
  const ManagerRow& row = managers()[GetParam()];
  unsigned seed = 1;
  ASSERT_FALSE(row.contract_cases.empty());
  for (const std::string_view settings : row.contract_cases)
    for (int i = 0; i < 5; ++i) exercise(row, settings, seed++);
}

/// What the row tells `stowage fit` is what a request holds that has grown to its end, alone.
TEST_P(ManagerContract, HoldsAtTheEndWhatItsRowTells) {
  const ManagerRow& row = managers()[GetParam()];
  for (const std::string_view settings : row.contract_cases) {
    const RunConfig config = config_for(row, settings);
    for (const auto& [prompt, output] : {std::pair{1, 1}, std::pair{40, 30}, std::pair{150, 1}, std::pair{7, 122}}) {
      ManagerCalls calls(row, config);
      const Sid s = calls.admit(prompt, output, prompt);
      ASSERT_NE(s, no_sid);
      for (std::int64_t tokens = prompt + 1; tokens <= prompt + output - 1; ++tokens)
        ASSERT_TRUE(calls.extend(s, tokens));
      const HeldAtEnd told = row.held_at_end(config, prompt, output);
      EXPECT_EQ(calls.occupancy().held, told.bytes) << settings << ", " << prompt << " + " << output;
      EXPECT_GE(told.bytes, (prompt + output - 1) * bpt);
      EXPECT_GE(told.unused_bytes, 0);
    }
  }
}

/// `stowage fit` and users' eyes need settings that parse, under names of their own.
TEST(ManagerRows, CountSettingsThatExist) {
  std::set<std::string_view> names;
  for (const ManagerRow& row : managers())
    for (const FitCase& c : row.fit_cases) {
      EXPECT_EQ(manager_spec(row, c.settings).kind, row.kind);
      EXPECT_TRUE(names.insert(c.name).second) << c.name;
    }
}

INSTANTIATE_TEST_SUITE_P(EveryRow, ManagerContract, testing::Range(std::size_t{0}, managers().size()),
                         [](const auto& row) { return std::string(managers()[row.param].kind); });
}  // namespace
