#pragma once
// A log of ten steps (tests/golden/inputs/logged), made by hand from the rules S15 to S17. Blocks of 16 tokens, 8 of
// them; 4 requests and 64 tokens a step; two steps in flight. Times are us, a call is seen 1,000 after it was made.
//
//  0  10 (prompt 40, output 4) is seen at 0. 3 blocks, 5 are free.
//  1  formed at 700, when 0 is launched. 10: its 41st token. 11 (prompt 36, output 3) was seen at 400; it begins with
//     the two blocks of 10, 32 tokens, computes 4 and takes a third block: 4 are free.
//  2  formed at 2100, after 0 has ended at 2000. Contexts 41 + 36 = 77.
//  3  formed at 3100. Contexts 42 + 37 = 79; both get their last token. 12 (prompt 60, output 2) was seen at 2500 and
//     takes 4 blocks: none is free. 62 tokens.
//  4  12 alone, 61 of 64 tokens. 10 and 11 keep seats and blocks. After 3 nothing can be formed, after 4 all have
//     ended.
//  5  13 (prompt 63, output 3) is seen at 20000. 4 blocks, 4 are free.
//  6  formed at 20500. 13: its 64th token. 14 (prompt 64, output 2) was seen at 20200: 63 tokens are left of the
//     budget. It takes the other 4 blocks.
//  7  13 wants a fifth block: 14 is preempted, and of its 4 blocks the unnamed one is taken: 3 are free. 13's last
//     token. Behind it 14 would need 4 - 3 found + 3 of them free = 4 blocks: it waits for the end of 7, at 24000.
//  8  formed at 24100, nothing in flight. 8 blocks are free; 14 finds 48 tokens and computes 16: 4 are free.
//  9  14's 65th token, a fifth block: 3 are free.
#include <string>

#include "base/read_file.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage::hand_log {

inline const std::string folder = source_dir() + "/tests/golden/inputs/logged";
inline const std::string run_json = read_file(folder + "/run.json", whole_bytes_max);
inline const std::string requests_csv = read_file(folder + "/ten-steps/requests.csv", whole_bytes_max);
inline const std::string steps_csv = read_file(folder + "/ten-steps/steps.csv", whole_bytes_max);
inline const std::string steps_head = steps_csv.substr(0, steps_csv.find('\n') + 1);

/// `text` with its one `from` replaced.
inline std::string with(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  if (at == std::string::npos || text.find(from, at + 1) != std::string::npos) return "not once: " + from;
  return text.replace(at, from.size(), to);
}
}  // namespace stowage::hand_log
