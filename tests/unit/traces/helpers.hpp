#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "tests/support/source_dir.hpp"
#include "traces/workload.hpp"

namespace stowage::test {

/// A file that goes away with the test.
class TempFile {
 public:
  explicit TempFile(std::string_view bytes) {
    static int made = 0;
    path_ = (std::filesystem::temp_directory_path() /
             ("stowage-traces-" + std::to_string(::getpid()) + "-" + std::to_string(made++)))
                .string();
    write(bytes);
  }
  ~TempFile() { std::remove(path_.c_str()); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  void write(std::string_view bytes) const {
    std::ofstream out(path_, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Reads a stream to its end, `chunk` at a time.
inline std::vector<Request> read_all(const Workload& workload, std::size_t chunk = 4096) {
  std::vector<Request> all;
  std::vector<Request> part(chunk);
  const auto stream = workload.open();
  while (const std::size_t n = stream->read(part)) all.insert(all.end(), part.begin(), part.begin() + n);
  EXPECT_EQ(stream->read(part), 0U);  // the end stays the end
  return all;
}

struct Opened {
  TraceLedger ledger;
  std::vector<Request> requests;
};
inline Opened open_text(std::string_view text, TraceOptions options = {}) {
  const TempFile file(text);
  options.path = file.path();
  Opened opened;
  opened.requests = read_all(*open_trace(options, opened.ledger));
  return opened;
}

/// Arrival, prompt and output of each request as one line of text; ids must count from 0.
inline std::string listed(const std::vector<Request>& requests) {
  std::string out;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Request& r = requests[i];
    EXPECT_EQ(r.id, i);
    out += std::to_string(r.arrival_ns) + "/" + std::to_string(r.prompt_tokens) + "/" +
           std::to_string(r.output_tokens) + " ";
  }
  return out;
}

/// The message of the InputError that opening `text` throws, with the file's name as "F"; "" when it opens.
inline std::string error_of(std::string_view text, TraceOptions options = {}) {
  const TempFile file(text);
  options.path = file.path();
  TraceLedger ledger;
  try {
    (void)open_trace(options, ledger);
  } catch (const InputError& error) {
    std::string message = error.what();
    for (auto at = message.find(file.path()); at != std::string::npos; at = message.find(file.path())) {
      message.replace(at, file.path().size(), "F");
    }
    return message;
  }
  return {};
}

inline constexpr std::string_view azure_header = "TIMESTAMP,ContextTokens,GeneratedTokens";
inline constexpr std::string_view canonical_header = "arrival_ns,prompt_tokens,output_tokens";
/// Its path when the real trace is at hand, else "".
inline std::string azure_conv_path() {
  const std::string path = source_dir() + "/../shared/traces/azure2023/AzureLLMInferenceTrace_conv.csv";
  return std::filesystem::exists(path) ? path : "";
}
}  // namespace stowage::test
