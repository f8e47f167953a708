#!/usr/bin/env bash
# Runs answer-chat, answer-documents and answer-mixed under every manager of theirs: paged blocks of 16 to 64 tokens by
# the gathering kernel, 128 and 256 by the one that copies whole tiles. answer.sh GPU_PROBE SCENARIOS OUT
# About eight minutes on an H100.
set -uo pipefail
probe=${1:?usage: answer.sh GPU_PROBE SCENARIOS OUT} scenarios=$2 out=$3
mkdir -p "$out" || exit 1
tiles=(paged-128 paged-256)
rest=(reserve-max paged-16 paged-32 paged-64 vattention-2MiB vattention-sync vattention-eager vattention-sliced)
status=0
# shellcheck source=one.sh
. "$(dirname "${BASH_SOURCE[0]}")/one.sh"
for name in answer-chat answer-documents answer-mixed; do
  for loader in gather tensor; do
    managers=()
    [ $loader = gather ] && chosen=("${rest[@]}") || chosen=("${tiles[@]}")
    for m in "${chosen[@]}"; do managers+=(--manager "$m"); done
    one "$name-$loader" "$name" "${managers[@]}" --paged-loader $loader --no-cold --repeat 1
  done
done
exit $status
