#!/usr/bin/env bash
# Replays online.yaml in real time at 0.5, 0.8 and 0.95 of the request rate that each manager reached offline in
# azure-conv-400 (measured by validation.sh in OUT before), then online-tight.yaml and online-long.yaml as they are; each
# twice, so that the repeat-to-repeat floor is known. online.sh GPU_PROBE SCENARIOS OUT [SHARE…]
# About nine minutes on an H100.
set -uo pipefail
probe=${1:?usage: online.sh GPU_PROBE SCENARIOS OUT [SHARE…]} scenarios=$2 out=$3
shift 3
shares=("$@")
[ ${#shares[@]} -gt 0 ] || shares=(0.5 0.8 0.95)
offline=$out/azure-conv-400/measured.json
[ -f "$offline" ] || { echo "error: $offline is missing; run validation.sh … azure-conv-400 first" >&2; exit 2; }
status=0
# shellcheck source=one.sh
. "$(dirname "${BASH_SOURCE[0]}")/one.sh"
while read -r manager rate; do
  for share in "${shares[@]}"; do
    scale=$(awk -v r="$rate" -v s="$share" 'BEGIN { printf "%.4g", r * s }')
    one "online-$manager-$share" online --repeat 2 --manager "$manager" --set "workload.rate_scale=$scale"
  done
done < <(awk -F'"' '
  /^ *"name":/ { name = $4 }
  /"requests_per_s":/ { gsub(/[^0-9.e+-]/, "", $3); rate[name] = $3 }
  END { for (name in rate) print name, rate[name] }' "$offline" | sort)
one online-tight online-tight --repeat 2
one online-long online-long --repeat 2
exit $status
