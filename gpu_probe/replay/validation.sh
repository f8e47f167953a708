#!/usr/bin/env bash
# Runs the validation scenarios on this machine's GPU and prints one table. validation.sh GPU_PROBE SCENARIOS OUT [NAME…]
# About four minutes on an H100; gpu_probe replay's own options may stand in $REPLAY_OPTIONS.
set -uo pipefail
probe=${1:?usage: validation.sh GPU_PROBE SCENARIOS OUT [NAME…]} scenarios=$2 out=$3
shift 3
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(prefill-ladder decode-ladder long-context tight-pool azure-conv-400)
mkdir -p "$out" || exit 1
status=0
# shellcheck source=one.sh
. "$(dirname "${BASH_SOURCE[0]}")/one.sh"
for name in "${names[@]}"; do
  options=(--repeat 2)
  # The longest scenario runs once, warmed up by small runs; the others once cold and twice warm.
  [ "$name" = azure-conv-400 ] && options=(--no-cold --repeat 1)
  one "$name" "$name" "${options[@]}"
done
du -sh "$out"
exit $status
