#!/usr/bin/env bash
# cli_pages.sh STOWAGE FOLDER: the pages of every command, as users get them, small: FOLDER/NAME.html, and NAME.json where
# the page carries that file whole. Each is made again from its folder by `stowage report`, and must be the same.
set -euo pipefail
stowage=$(realpath "$1") folder=$(realpath "$2")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
golden=$here/../golden/inputs scenarios=$here/../../scenarios
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
evil="</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">'\"&<!--"
evil_json="</script><script>document.title='broken'</script><img src=x onerror=\\\\\"document.title='broken'\\\\\">"
quoted=$(printf '%s' "$evil" | sed "s/'/''/g")

# keep NAME [JSON]: takes the page of the folder NAME.
keep() {
  cp "$1/report.html" "$folder/$1.html"
  [ $# -lt 2 ] || cp "$1/$2" "$folder/$1.json"
  "$stowage" report "$1" >/dev/null
  cmp "$1/report.html" "$folder/$1.html"
}
plan() { local name=$1; shift; "$stowage" plan "$@" -o "$name" --quiet >/dev/null || [ $? = 4 ]; keep "$name" plan.json; }
sweep() { local name=$1; shift; "$stowage" sweep "$@" -o "$name" --quiet >/dev/null; keep "$name"; }
run() { local name=$1; shift; "$stowage" run "$@" -o "$name" --quiet >/dev/null; }

plan plan "$golden/study.yaml"
plan plan-roofline "$golden/study.yaml" --set 'cost={source: roofline}' --set search.draws=2
plan plan-infeasible "$golden/study.yaml" --set 'slo={ttft_p99: 1ms}'
plan plan-limits "$golden/study.yaml" --set 'limits={gpus: 8}' --set growth=50
plan plan-one "$golden/study.yaml" --set 'managers=[{kind: paged}]' --set 'space={scheduler.max_batch: [16]}' --set prices= --set search.draws=0
plan plan-hostile "$golden/study.yaml" --set "name='$quoted'"

sweep sweep-one "$golden/study.yaml" --set space= --vary workload.rate_scale=1,2,4
sweep sweep-two "$golden/study.yaml" --set space= --vary workload.rate_scale=1..3 --vary memory.kv_pool=4GiB,64MiB,1MiB
sweep sweep-three "$golden/study.yaml" --set space= --vary workload.rate_scale=1,3 --vary scheduler.max_batch=8,16,32 --vary hardware=h100-sxm-80gb,a100-40gb
sweep sweep-names "$golden/study.yaml" --set space= --vary 'managers=[{kind: paged}],[{kind: vattention}]'
sweep sweep-hostile "$golden/study.yaml" --set space= --set "name='$quoted'" --vary workload.rate_scale=1,2

sed -n '/^scenario:/,/^space:/p' "$golden/study.yaml" | sed -e '1d;$d' -e 's/^  //' >chat.yaml
run a chat.yaml --set 'slo={ttft_p99: 500ms, tbt_p99: 20ms}'
run b chat.yaml --set 'slo={ttft_p99: 500ms, tbt_p99: 20ms}' --set scheduler.max_batch=32
run c chat.yaml --set "name='$quoted'"
for pair in "a b compare" "a a compare-same" "c c compare-hostile" "a/summary.json b/summary.json compare-bare"; do
  set -- $pair
  "$stowage" compare "$1" "$2" -o "$3" >/dev/null
  keep "$3" compare.json
done
run fleet chat.yaml --set cluster.replicas=24 --set cluster.router=least-outstanding --set workload.rate_scale=20
keep fleet summary.json

# Names that no command lets through, in a report.json that someone made.
for name in plan-hostile sweep-hostile compare-hostile; do
  sed -i "s|paged-16|${evil_json}|g" "$name/report.json"
  "$stowage" report "$name" >/dev/null
  cp "$name/report.html" "$folder/$name.html"
  rm -f "$folder/$name.json"
done

"$stowage" calibrate "$here"/../../calibrate/measurements/h200-a-all.json -o p.yaml --report "$folder/calibrate.html" >/dev/null
measured=$here/../../calibrate/validation/measured
for run in "$measured"/h100/*/; do
  "$stowage" validate "$run" --report "$folder/validate.html" >/dev/null
  break
done
