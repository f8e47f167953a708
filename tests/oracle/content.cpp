#include "tests/oracle/content.hpp"

#include <algorithm>

namespace stowage::oracle {
namespace {
/// A symbol for each (kind, a, b).
class Symbols {
 public:
  std::uint64_t of(char kind, std::uint64_t a, std::uint64_t b) {
    return symbols_.try_emplace({kind, a, b}, symbols_.size()).first->second;
  }

 private:
  std::map<std::tuple<char, std::uint64_t, std::uint64_t>, std::uint64_t> symbols_;
};
}  // namespace

std::vector<Content> contents(const std::vector<PromptShape>& shapes, std::int64_t hash_tokens) {
  Symbols symbols;
  std::map<std::string, std::size_t> last;  // turn of each session
  std::vector<Content> out;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const PromptShape& r = shapes[i];
    const auto prompt = static_cast<std::size_t>(r.prompt);
    Content c;
    if (const auto before = last.find(r.session); !r.session.empty() && before != last.end()) {  // S15.3
      c.prompt = out[before->second].prompt;
      c.prompt.insert(c.prompt.end(), out[before->second].output.begin(), out[before->second].output.end());
    } else {
      for (const std::uint64_t hash : r.hashes) {  // S15.1
        if (std::ssize(c.prompt) + hash_tokens > r.prompt) break;  // S15.9
        for (std::int64_t k = 0; k < hash_tokens; ++k)
          c.prompt.push_back(symbols.of('h', hash, static_cast<std::uint64_t>(k)));
      }
    }
    c.prompt.resize(std::min(c.prompt.size(), prompt));
    while (c.prompt.size() < prompt) c.prompt.push_back(symbols.of('p', i, c.prompt.size()));  // S15.2
    for (std::int64_t k = 0; k < r.output; ++k) c.output.push_back(symbols.of('o', i, static_cast<std::uint64_t>(k)));
    if (r.stop_at > 0) {  // S15.4
      c.output.resize(static_cast<std::size_t>(r.stop_at));
      c.output.back() = symbols.of('s', 0, 0);
    }
    if (!r.session.empty()) last[r.session] = i;
    out.push_back(std::move(c));
  }
  return out;
}
}  // namespace stowage::oracle
