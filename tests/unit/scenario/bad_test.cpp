// Every file in bad/ says in its first line what the reader must say first about it. "(known: ...)" stands for any list
// of names: files do not change when a manager, a scheduler or a router is added.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "scenario/scenario.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;
const std::string folder = source_dir() + "/tests/unit/scenario/bad/";

std::vector<std::string> bad_files() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

constexpr std::string_view any_names = "(known: ...)";

/// What is said about the file, with the folder left out, and the names of a list at its end when `short_list`.
std::string verdict(const std::string& name, bool short_list) {
  std::string said = "accepted";
  try {
    (void)load_scenario(folder + name);
  } catch (const InputError& e) { said = first_line(e.what()); } catch (const InfeasibleError& e) {
    said = "infeasible: " + first_line(e.what());
  }
  for (auto at = said.find(folder); at != std::string::npos; at = said.find(folder)) said.erase(at, folder.size());
  if (const auto at = said.rfind("(known: "); short_list && at != std::string::npos && said.ends_with(")"))
    said.replace(at, std::string::npos, any_names);
  return said;
}

class BadScenario : public testing::TestWithParam<std::string> {};

TEST_P(BadScenario, is_refused_with_the_place_and_the_mend) {
  std::ifstream in(folder + GetParam());
  std::string line;
  std::getline(in, line);
  ASSERT_TRUE(line.starts_with("# expect: ")) << line;
  EXPECT_EQ(verdict(GetParam(), line.ends_with(any_names)), line.substr(10));
}

std::string test_name(const testing::TestParamInfo<std::string>& file) {
  std::string name = file.param.substr(0, file.param.size() - 5);
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}
INSTANTIATE_TEST_SUITE_P(Corpus, BadScenario, testing::ValuesIn(bad_files()), test_name);
}  // namespace
}  // namespace stowage
