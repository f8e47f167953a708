# [1 2] of the second prompt and [1] of the third were there before: 1,536 of 3,300 tokens. CSV has no place for hashes.
stowage trace info inputs/mooncake.jsonl
stowage trace info inputs/mooncake.jsonl --format json | grep prefix_hit
stowage trace info inputs/mooncake.jsonl --repeat 2 | grep 'prefix hit'
stowage trace info inputs/mooncake.jsonl --hash-block-size 1024
stowage trace convert inputs/mooncake.jsonl
