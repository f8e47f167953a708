#!/usr/bin/env bash
# Files without an end, files of another kind, names with control characters: every command that reads a file says one
# line with its name and exits 2, soon and in bounded memory; nothing calls itself an internal error.
set -uo pipefail
stowage=$(realpath "$1")
work=$(mktemp -d)
writers=()
trap 'kill -- "${writers[@]}" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 2
# The address sanitizer reserves terabytes of addresses: without a limit memory is then bounded by the tool's own.
(ulimit -v 6000000 && "$stowage" --version) >/dev/null 2>&1 && ulimit -v 6000000
faults=0
fault() { echo "FAILED: $*"; faults=$((faults + 1)); }

cat >good.yaml <<'END'
model: llama-3-8b
hardware: h100-sxm-80gb
memory: {kv_tokens: 4096}
cost: {source: linear, base: 10ms}
scheduler: {max_batch: 4, max_batched_tokens: 512, max_model_len: 1024}
workload: {requests: [{prompt: 100, output: 3, count: 4}]}
managers: [{kind: paged}]
END
"$stowage" run good.yaml -o good --quiet >/dev/null || fault "the scenario itself"
printf '%s\n' '{"input_lens": [1], "output_lens": [1], "ttfts": [1], "itls": [[]], "start_times": [0]}' >bench.json

# refused LABEL FILE COMMAND...: exit 2, all lines errors that name the file.
refused() {
  local label=$1 file=$2 code
  shift 2
  timeout 60 "$stowage" "$@" >out 2>err </dev/null
  code=$?
  [ $code = 2 ] || fault "$label: $*: exit $code: $(head -c 300 err | cat -v)"
  [ -s out ] && fault "$label: $*: said something on stdout"
  grep -qF -- "$file" err || fault "$label: $*: the file is not named: $(head -c 300 err | cat -v)"
  grep -q 'error: ' err || fault "$label: $*: no error: $(head -c 300 err | cat -v)"
  [ "$(wc -l <err)" -le 101 ] || fault "$label: $*: $(wc -l <err) lines"
  LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' err && fault "$label: $*: a raw control character: $(cat -v err)"
  grep -qi 'internal error\|report this' err && fault "$label: $*: $(cat -v err)"
}

# Every place where a command line takes a file; FILE is the hostile one, FOLDER holds it under the names read there.
every_reader() {
  local label=$1 file=$2
  rm -rf folder && mkdir folder
  for name in report.json summary.json requests.csv measured.json config.json journal-1-of-1; do
    ln -s "$(realpath -s "$file")" "folder/$name"
  done
  refused "$label" "$file" run "$file"
  refused "$label" "$file" check "$file"
  refused "$label" "$file" plan "$file"
  refused "$label" "$file" sweep "$file"
  refused "$label" "$file" calibrate "$file"
  refused "$label" "$file" calibrate --engine-log "$file"
  refused "$label" "$file" validate "$file"
  refused "$label" "$file" validate --engine-log "$file" --scenario good.yaml
  refused "$label" "$file" validate --engine-log bench.json --scenario "$file"
  refused "$label" "$file" fit --model llama-3-8b --hardware h100-sxm-80gb --from-vllm-log "$file"
  refused "$label" "$file" compare "$file" good
  refused "$label" folder/config.json model show ./folder
  refused "$label" folder/report.json report folder -o page.html
  refused "$label" folder/summary.json compare good folder
  refused "$label" folder/measured.json validate folder
  for key in model hardware cost.profile; do
    [[ $file == *.yaml ]] || continue
    refused "$label" "$file" run good.yaml --set "$key=$file" --set cost.source=profile --set cost.base=
  done
}

# A trace that unpacks to more than there is memory. Where no limit can be set, it is read.
{ echo arrival_ns,prompt_tokens,output_tokens; head -c 150000000 /dev/zero | tr '\0' '\n'; } | gzip -1 >large.csv.gz
if [ "$(ulimit -v)" != unlimited ]; then
  (ulimit -v 250000 && exec "$stowage" trace info large.csv.gz) >out 2>err </dev/null
  [ $? = 1 ] && grep -qF 'large.csv.gz: error: what it unpacks to' err || fault "a large gzip: $(head -c 300 err)"
fi

ln -s /dev/zero endless.yaml
every_reader 'an endless device' endless.yaml
mkdir is-folder.yaml
every_reader 'a folder' is-folder.yaml
: >empty.yaml
printf '\x00\x01\x02\xff\xfe' >binary.yaml
every_reader 'bytes' binary.yaml
head -c 300000 /dev/zero | tr '\0' '[' >deep.yaml
every_reader '300,000 brackets' deep.yaml
head -c 3000000 /dev/zero | tr '\0' 'a' >line.yaml
every_reader 'a line of 3 MB' line.yaml
refused 'a header of 3 MB' line.yaml trace info line.yaml
refused 'a header of 3 MB' line.yaml run good.yaml --set 'workload={trace: line.yaml}'
(echo arrival_ns,prompt_tokens,output_tokens; tr 'a' ',' <line.yaml) >row.csv
refused 'a row of 3 MB' row.csv trace info row.csv
{ cat good.yaml; printf '%s\n' --- ; cat good.yaml; } >two.yaml
every_reader 'two documents' two.yaml
grep -q 'two.yaml:8:1: error: a second document' <("$stowage" run two.yaml 2>&1) || fault "two documents: no place"

# A pipe that never ends is left at the limit.
mkfifo pipe.yaml
set -m  # a process group of its own: what waits to open the pipe goes with it
(while :; do yes 'a: [1, 2' >pipe.yaml; done) >/dev/null 2>&1 </dev/null &
writers+=(-$!)
set +m
refused 'an endless pipe' pipe.yaml run pipe.yaml
refused 'an endless pipe' pipe.yaml calibrate pipe.yaml

# Names that would move a cursor.
name=$'a\x1b[31m\nb.yaml'
cp empty.yaml "$name"
for command in run check plan sweep calibrate validate compare report 'trace info' 'model show' 'calibrate --engine-log'; do
  # shellcheck disable=SC2086
  timeout 60 "$stowage" $command "$name" ${command/compare/good} >out 2>err </dev/null && [ "$command" != check ] &&
    fault "$command of an empty file: exit 0"
  LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' out err && fault "$command: a raw control character: $(cat -v out err)"
  grep -qi 'internal error' err && fault "$command: $(cat -v err)"
done
long=$(printf 'x%.0s' {1..5000})
for command in run check plan calibrate validate compare report 'trace info' 'model show'; do
  # shellcheck disable=SC2086
  "$stowage" $command "./$long.yaml" good >out 2>err </dev/null
  grep -qi 'internal error' err && fault "$command of a long name: $(head -c 300 err)"
done

# summary.json and requests.csv of a result, one figure changed; compare must refuse with the place.
lie() {
  local file=$1 place=$2 from=$3 to=$4
  rm -rf lied && cp -r good lied
  sed -i -E "0,/$from/s//$to/" "lied/$file"
  cmp -s "good/$file" "lied/$file" && fault "lie: '$from' is not in $file"
  refused "$file: $to" "lied/$file" compare good lied
  grep -qF -- "$place" err || fault "$file: $to: no '$place': $(cat err)"
}
lie summary.json /runs/0/requests/completed '"completed": 4' '"completed": -4'
lie summary.json /runs/0/requests/completed '"completed": 4' '"completed": "x"'
lie summary.json /runs/0/makespan_s '"makespan_s": [0-9.e-]+' '"makespan_s": 1e300'
lie summary.json 'lied/summary.json:' '"makespan_s": [0-9.e-]+' '"makespan_s": 1e309'
lie summary.json 'lied/summary.json:' '"makespan_s": [0-9.e-]+' '"makespan_s": NaN'
lie summary.json /runs/0/ttft_s/p99 '"p99": [0-9.e-]+' '"p99": -1'
lie summary.json /runs/0/kv/mean_fraction/live '("live": )[0-9.e-]+' '\17'
lie summary.json /runs/0/name '^      "name": "paged-16"' '      "name": 3'
lie summary.json /scenario '"scenario": \{' '"scenario": [], "was": {'
lie summary.json 'comes twice' '"runs": \[' '"runs": 1, "runs": ['
for value in -1 nan inf 1e99 x ''; do
  lie requests.csv 'requests.csv:2: error: id' '^([a-z0-9-]+),[0-9]+' "\\1,$value"
  lie requests.csv 'requests.csv:2: error: prompt_tokens' '^([a-z0-9-]+,[0-9]+,[0-9]+),[0-9]+' "\\1,$value"
  lie requests.csv 'requests.csv:2: error: ttft_ns' '^([a-z0-9-]+(,[0-9]+){6}),[0-9]+' "\\1,$value"
done
for value in 1000000000000000000 7; do
  lie requests.csv 'tpot_ns' '^([a-z0-9-]+,([0-9.]+,){7})[0-9.]+' "\\1$value"
done
lie requests.csv 'the run took' '^([a-z0-9-]+,0),[0-9]+' '\1,1000000000000000000'
lie requests.csv 'tpot_ns' '^([a-z0-9-]+,([0-9.]+,){8})[0-9]+' '\11000000000000000000'
lie requests.csv 'is there twice' '^([a-z0-9-]+),1,' '\1,0,'
lie requests.csv 'a torn row' '^([a-z0-9-]+),0,.*' '\1,0'
[ $faults = 0 ] || { echo "$faults fault(s)"; exit 1; }
