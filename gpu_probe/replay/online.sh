#!/usr/bin/env bash
# Replays online.yaml in real time at 0.5, 0.8 and 0.95 of the request rate that each manager reached offline in
# azure-conv-400 (measured by validation.sh in OUT before), then online-tight.yaml and online-long.yaml as they are; each
# twice, so that the repeat-to-repeat floor is known. online.sh GPU_PROBE SCENARIOS OUT [SHARE…]
# About seven minutes on an H100.
set -uo pipefail
probe=${1:?usage: online.sh GPU_PROBE SCENARIOS OUT [SHARE…]} scenarios=$2 out=$3
shift 3
shares=("$@")
[ ${#shares[@]} -gt 0 ] || shares=(0.5 0.8 0.95)
offline=$out/azure-conv-400/measured.json
[ -f "$offline" ] || { echo "error: $offline is missing; run validation.sh … azure-conv-400 first" >&2; exit 2; }
status=0
run() {  # NAME SCENARIO OPTIONS…
  local name=$1 scenario=$2 start=$SECONDS code
  shift 2
  # shellcheck disable=SC2086
  "$probe" replay "$scenarios/$scenario.yaml" -o "$out/$name" --repeat 2 "$@" ${REPLAY_OPTIONS:-} >"$out/$name.log" 2>&1
  code=$?
  echo "== $name: $*, exit $code, $((SECONDS - start)) s"
  grep -vE ' pass of |^written' "$out/$name.log"
  case $code in
    0) ;;
    130 | 143) exit $code ;;
    *) status=$code ;;
  esac
}
while read -r manager rate; do
  for share in "${shares[@]}"; do
    scale=$(awk -v r="$rate" -v s="$share" 'BEGIN { printf "%.4g", r * s }')
    run "online-$manager-$share" online --manager "$manager" --set "workload.rate_scale=$scale"
  done
done < <(awk -F'"' '
  /^ *"name":/ { name = $4 }
  /"requests_per_s":/ { gsub(/[^0-9.e+-]/, "", $3); rate[name] = $3 }
  END { for (name in rate) print name, rate[name] }' "$offline" | sort)
run online-tight online-tight
run online-long online-long
exit $status
