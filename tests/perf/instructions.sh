#!/usr/bin/env bash
# Counts the instructions that 10,000 more requests cost under each manager, start-up subtracted, and fails when one
# needs more than its ceiling: 1.1 times what was counted when the ceiling was set (docs/performance.md).
set -euo pipefail
stowage=$1
command -v valgrind >/dev/null || { echo "skipped: valgrind is not installed"; exit 77; }
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
count() {  # manager, requests
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$stowage" run scenarios/azure-conv-2023.yaml --quiet --jobs 1 \
    --format json --set "managers=[$1]" \
    --set "workload={synthetic: {preset: azure-conv-2023, arrivals: poisson, count: $2}}" 2>&1 >/dev/null |
    grep -o 'Collected : [0-9]*' | grep -o '[0-9]*$'
}
status=0
while read -r ceiling manager; do
  each=$((($(count "$manager" 11000) - $(count "$manager" 1000)) / 10000))
  echo "$manager: $each instructions a request (ceiling $ceiling)"
  [ "$each" -le "$ceiling" ] || { echo "error: slower than the ceiling"; status=1; }
done <<'END'
5490 {kind: reserve, length: max}
5900 {kind: paged, block_size: 16}
6600 {kind: vattention}
END
exit $status
