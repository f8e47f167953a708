#!/usr/bin/env bash
# The table of docs/performance.md: CPU seconds of the whole program by manager, at a trace's own rate and four times it.
#   bench/table.sh path/to/stowage path/to/AzureLLMInferenceTrace_conv.csv [repeat]
set -euo pipefail
stowage=$(realpath -e "$1") trace=$(realpath -e "$2") repeat=${3:-50}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
TIMEFORMAT='%U %S'
printf '%-16s %4s %10s %12s %8s %12s %14s\n' manager rate requests iterations CPU-s requests/s iterations/s
for manager in '{kind: reserve, length: max}' '{kind: paged, block_size: 16}' '{kind: vattention}'; do
  for rate in 1 4; do
    out=$(mktemp)
    cpu=$({ time "$stowage" run scenarios/azure-conv-2023.yaml --quiet --jobs 1 --format json --set model=llama-3.1-8b \
      --set "managers=[$manager]" --set "workload={trace: '$trace', repeat: $repeat, rate_scale: $rate}" >"$out"; } 2>&1)
    name=$(grep -o '"name": *"[^"]*"' "$out" | tail -1 | cut -d'"' -f4)
    requests=$(grep -o '"submitted": *[0-9]*' "$out" | grep -o '[0-9]*$')
    iterations=$(grep -o '"iterations": *[0-9]*' "$out" | head -1 | grep -o '[0-9]*$')
    awk -v m="$name" -v r="$rate" -v n="$requests" -v i="$iterations" -v c="$cpu" 'BEGIN {
      split(c, t, " "); s = t[1] + t[2]
      printf "%-16s %3sx %10d %12d %8.3f %12.0f %14.0f\n", m, r, n, i, s, n / s, i / s }'
    rm -f "$out"
  done
done
