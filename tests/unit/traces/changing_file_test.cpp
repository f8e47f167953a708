// A trace that is cut short or written over while it is read is an error, not a signal and not a wrong number.
#include <gtest/gtest.h>
#include <unistd.h>

#include "helpers.hpp"
#include "traces/file_bytes.hpp"

namespace stowage {
namespace {
using test::TempFile;

constexpr std::size_t page = 4096;

std::string told(const auto& action) {
  try {
    action();
  } catch (const EnvironmentError& error) {
    return error.what();
  } catch (const InputError& error) { return std::string("input: ") + error.what(); }
  return "";
}
/// More rows than are held in memory, so that streams parse the file as they go.
std::string many_rows() {
  std::string out = "arrival_ns,prompt_tokens,output_tokens\n";
  for (int i = 0; i < 1'100'000; ++i) out += std::to_string(i) + ",10,2\n";
  return out;
}

TEST(ChangingFile, APageThatIsGoneReadsAsZerosAndIsTold) {
  const TempFile file(std::string(8 * page, 'x'));
  const FileBytes bytes(file.path());
  EXPECT_EQ(bytes.view()[0], 'x');
  ASSERT_EQ(::truncate(file.path().c_str(), 2 * page), 0);
  bytes.check_whole();  // nothing was touched yet
  EXPECT_EQ(bytes.view()[2 * page - 1], 'x');
  bytes.check_whole();
  EXPECT_EQ(bytes.view()[5 * page], '\0');
  EXPECT_NE(told([&] { bytes.check_whole(); }).find("cut short while it was read: 8192 of 32768 bytes are left"),
            std::string::npos);
  bytes.release(0, 8 * page);
  EXPECT_EQ(bytes.view()[6 * page], '\0') << "also when the pages were given back";
}

TEST(ChangingFile, MoreMapsThanAreGuardedAreRead) {
  const TempFile file(std::string(2 * page, 'x'));
  std::vector<std::unique_ptr<FileBytes>> many;
  for (int i = 0; i < 70; ++i) many.push_back(std::make_unique<FileBytes>(file.path()));
  ASSERT_EQ(::truncate(file.path().c_str(), 0), 0);
  for (int i = 0; i < 64; ++i) EXPECT_EQ(many[i]->view()[page], '\0') << i;
  for (int i = 64; i < 70; ++i) EXPECT_EQ(many[i]->view()[page], 'x') << i << ": a copy in memory";
  many.clear();
  file.write(std::string(page, 'y'));
  EXPECT_EQ(FileBytes(file.path()).view()[0], 'y') << "the places are free again";
}

TEST(ChangingFile, ACutTraceEndsTheStreamWithAMessage) {
  const TempFile file(many_rows());
  TraceLedger ledger;
  const auto workload = open_trace({.path = file.path()}, ledger);
  const auto stream = workload->open();
  std::vector<Request> batch(1024);
  ASSERT_EQ(stream->read(batch), 1024U);
  ASSERT_EQ(::truncate(file.path().c_str(), 1'000'000), 0);
  const std::string error = told([&] {
    while (stream->read(batch) > 0) {}
  });
  EXPECT_NE(error.find("cut short while it was read: 1000000 of"), std::string::npos) << error;
}

TEST(ChangingFile, ATraceWrittenOverIsNotAMixOfTwo) {
  const std::string rows = many_rows();
  const TempFile file(rows);
  TraceLedger ledger;
  const auto workload = open_trace({.path = file.path()}, ledger);
  const auto stream = workload->open();
  std::vector<Request> batch(1024);
  ASSERT_EQ(stream->read(batch), 1024U);
  std::string other = rows;
  for (std::size_t at = other.find(",10,", other.size() / 2); at != std::string::npos; at = other.find(",10,", at + 1))
    other[at + 1] = '9';
  std::ofstream(file.path(), std::ios::binary | std::ios::in).write(other.data(), static_cast<long>(other.size()));
  const std::string error = told([&] {
    while (stream->read(batch) > 0) {}
  });
  EXPECT_NE(error.find("changed while it was read"), std::string::npos) << error;
}
}  // namespace
}  // namespace stowage
