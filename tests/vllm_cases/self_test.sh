#!/usr/bin/env bash
# Does vllm_cases pass what is right, find what is wrong, and say both? The sums of the fixtures are done by hand:
# their field `about` says how. self_test.sh PROGRAM
set -u
program=${1:?usage: self_test.sh PROGRAM}
cd "$(dirname "${BASH_SOURCE[0]}")/fixtures" || exit 2
faults=0
# expect CODE FOLDER: the program's lines but the first, which names the runner, are those on stdin.
expect() {
  local output code
  output=$("$program" "$2")
  code=$?
  [ "$code" = "$1" ] || { echo "$2: exit code $code, not $1"; faults=$((faults + 1)); }
  diff -u <(cat) <(tail -n +2 <<<"$output" | sed 's/\[json\.exception.*/(the JSON library says why)/') || faults=$((faults + 1))
}
expect 0 right <<'END'
skipped 1: sliding windows (groups other than [0])
8 passed, 0 failed
END
expect 1 wrong <<'END'
FAILED cut.json: (the JSON library says why)
FAILED every.json: engine: request 0: expected [0,999,1000,0,[0]], found [0,1000,1000,0,[0]]
FAILED no-price.json: (the JSON library says why)
FAILED one-more-step.json: engine: number of steps: expected 3, found 2
FAILED release.json: rules of vLLM 9.9.9 are not known
FAILED request.json: engine: request 1: expected [6000,6000,0,[4]], found [6000,6000,0,[8]]
FAILED step.json: engine: step 1: expected [5000,5000,6000,[[1,4,5]],[],13,1,0], found [5000,5000,6000,[[1,8,1]],[],13,1,0]
FAILED summary.json: engine: least_free: expected 12, found 13
FAILED too-long.json: 1 of 2 requests completed
0 passed, 9 failed
END
mkdir -p "${TMPDIR:-/tmp}/no-vllm-cases.$$"
expect 2 "${TMPDIR:-/tmp}/no-vllm-cases.$$" <<'END'
0 passed, 0 failed
END
rmdir "${TMPDIR:-/tmp}/no-vllm-cases.$$"
"$program" nowhere 2>/dev/null && { echo "a folder that is not there passes"; faults=$((faults + 1)); }
[ "$faults" -eq 0 ]
