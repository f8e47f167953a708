// The page of keys is the table of keys.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "planner/study_keys.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {

TEST(StudyKeys, ThePageOfKeysIsTheTable) {
  std::ostringstream page;
  page << std::ifstream(source_dir() + "/docs/keys.md").rdbuf();
  EXPECT_EQ(page.str(), keys::reference_page()) << "stowage schema reference >docs/keys.md";
}
}  // namespace
}  // namespace stowage
