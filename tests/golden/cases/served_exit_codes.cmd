# Exit 4 when no manager serves anybody, whatever the reason; with some served 0, or 3 with --assert-slo. A manager that
# serves nobody beside one that does is said in the first sentence.
try() { echo "== $*"; stowage run inputs/four.yaml "$@" | sed -n 1,3p; echo "code ${PIPESTATUS[0]}"; }
try --set scheduler.max_model_len=1000                                          # all too long, all managers
try --set scheduler.max_model_len=1000 --assert-slo --format csv
try --set memory.kv_pool=64MiB --set 'managers=[{kind: paged}]'                 # all larger than the pool
try --set 'workload={requests: [{prompt: 9000, output: 1}, {prompt: 100000, output: 1, count: 2}]}'
# 2,000 tokens are 125 blocks of 16, and one block of 1,024 tokens, which 1,499 do not fit.
one='workload={requests: [{prompt: 1000, output: 500}]}'
try --set 'memory={kv_tokens: 2000}' --set 'managers=[{kind: paged}, {kind: vattention}]' --set "$one"
try --set 'memory={kv_tokens: 2000}' --set 'managers=[{kind: paged}, {kind: vattention}]' --set "$one" --set slo=
try --set 'memory={kv_tokens: 2000}' --set 'managers=[{kind: paged}, {kind: vattention}]' --set "$one" --assert-slo
# Most are too long: one is served.
try --set 'workload={requests: [{prompt: 9000, output: 1, count: 3}, {prompt: 10, output: 2}]}'
