#pragma once
// A log of ten steps, made by hand from the rules S15 to S17. Blocks of 16 tokens, 8 of them; 4 requests and 64 tokens
// a step; two steps in flight. Times are us, a call is seen 1,000 after it was made.
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

namespace stowage::hand_log {

inline const std::string run_json = R"({"model": "some/model", "hardware": "h200", "vllm": "0.24.0",
 "engine_args": {"max_num_seqs": 4},
 "scheduler": ["# blocks 9 groups [('FullAttentionSpec', 32, 16)] block_size 16 max_seqs 4 max_tokens 64)"
                                    R"( max_len 128 async True cls AsyncScheduler"]})";

inline const std::string requests_csv = R"(id,arrival_s,prompt_tokens,output_tokens,ttft_us,e2e_us,prefix_blocks
10,-0.001000,40,4,3000,7000,7-8
11,-0.000600,36,3,3600,6600,7 8
12,0.001500,60,2,4500,5500,
13,0.019000,63,3,3000,5000,
14,0.019200,64,2,6800,7800,
)";

inline const std::string steps_head =
    "step,schedule_us,scheduled_us,update_us,updated_us,tokens,decodes,decode_context,running,waiting,free_blocks,"
    "preempted,prefills\n";
inline const std::string steps_csv = steps_head + R"(0,0,10,2000,2050,40,0,0,1,0,5,,10:0+40/40
1,700,710,3000,3050,5,1,40,2,0,4,,11:32+4/36
2,2100,2110,4000,4050,2,2,77,2,0,4,,
3,3100,3110,6000,6050,62,2,79,3,0,0,,12:0+60/60
4,4100,4110,7000,7050,1,1,60,3,0,0,,
5,20000,20010,22000,22050,63,0,0,1,0,4,,13:0+63/63
6,20500,20510,23000,23050,64,1,63,2,0,0,,14:0+63/64
7,22100,22110,24000,24050,1,1,64,1,1,3,14,
8,24100,24110,26000,26050,16,0,0,1,0,4,,14:48+16/64
9,24600,24610,27000,27050,1,1,64,1,0,3,,
)";

/// `text` with its one `from` replaced.
inline std::string with(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  if (at == std::string::npos || text.find(from, at + 1) != std::string::npos) return "not once: " + from;
  return text.replace(at, from.size(), to);
}
}  // namespace stowage::hand_log
