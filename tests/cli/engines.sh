#!/usr/bin/env bash
# Words of the user's in scripts that sbatch and GNU parallel run: a page of attacks in the names of folders, in --set and
# in the scenario. bash must hand each of them to stowage byte for byte, and neither program may find one in its own words.
set -uo pipefail
stowage=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0
fault() { echo "FAILED: $*"; faults=$((faults + 1)); }

cat >"$work/study.yaml" <<'END'
scenario:
  name: attacks
  model: llama-3-8b
  hardware: h100-sxm-80gb
  memory: {kv_tokens: 4096}
  cost: {source: linear, base: 10ms}
  scheduler: {max_batch: 4, max_batched_tokens: 512, max_model_len: 1024}
  workload: {requests: [{prompt: 100, output: 3, count: 4}]}
  managers: [{kind: paged}]
space: {scheduler.max_batch: [1, 2, 4]}
END
"$stowage" sweep "$work/study.yaml" --quiet -o "$work/plain" >/dev/null || fault "the sweep without attacks"

# Stand-ins that are told nothing but their words: sbatch runs each task of the array, parallel its command for each input.
mkdir "$work/bin"
cat >"$work/bin/sbatch" <<'END'
#!/usr/bin/env bash
printf '%s\0' "$@" >"$CAPTURE"
script=${!#}
tasks=$(sed -n 's/^#SBATCH --array=1-//p' "$script")
grep '^#SBATCH' "$script" >"$CAPTURE.directives"
for ((i = 1; i <= tasks; i++)); do SLURM_ARRAY_TASK_ID=$i bash "$script" || exit 1; done
END
cat >"$work/bin/parallel" <<'END'
#!/usr/bin/env bash
printf '%s\0' "$@" >"$CAPTURE"
while [ "$1" != bash ]; do shift; done
command=()
while [ "$1" != ::: ]; do command+=("$1"); shift; done
shift
for input; do "${command[@]}" "$input" || exit 1; done
END
chmod +x "$work/bin/sbatch" "$work/bin/parallel"
export CAPTURE=$work/capture

# The words that a script would start, each ended by a zero byte.
words_of() { bash -c 'exec() { printf "%s\0" "$@"; }; set -- 1; SLURM_ARRAY_TASK_ID=1; source "$0"' "$1" 2>&1; }

attacks=(
  'plain' 'a b' '  ' "it's" 'say "x"' '$(touch PWNED)' '`touch PWNED`' '; touch PWNED' '&& touch PWNED' '| touch PWNED'
  '> PWNED' '{}' '{1}' '{#}' '{.}' '{/}' '{//}' '{%}' '{= $_=`touch PWNED` =}' '{= system("touch PWNED") =}' '{-1}'
  ':::' '::::' '%a' '%j' '%%' '%' '\' '\\' 'a\' '#x' '#SBATCH --wrap=id' '*' '?' '[a-z]' '~' '!!' '$HOME' '${PATH}'
  '=ls' '-rf' '--help' '--' '$'"'"'x'"'"'' "'\\''" 'grün' $'\xff\xfe' '--output=x' ','
)
cd "$work" || exit 2
for attack in "${attacks[@]}"; do
  folder=$work/in/x$attack
  for engine in slurm parallel; do
    rm -rf "$work/in" && mkdir -p "$folder"
    cp "$work/study.yaml" "$folder/study.yaml"
    PATH=$work/bin:$PATH "$stowage" sweep "$folder/study.yaml" --set "name=\"x${attack//[\"\\]/}\"" --quiet \
      --vary 'scheduler.max_batched_tokens=512' -o "$folder/out" --engine $engine --tasks 2 >"$work/log" 2>&1 ||
      fault "$engine: '$attack': $(cat "$work/log")"
    [ -s "$folder/out/sweep.csv" ] || fault "$engine: '$attack': no table"
    script=$folder/out/sweep.sh expected_tail=(--jobs 1 --shard 1/2)
    [ $engine = slurm ] && script=$folder/out/sweep.sbatch
    printf '%s\0' "$stowage" sweep "$folder/study.yaml" --set "name=\"x${attack//[\"\\]/}\"" \
      --vary 'scheduler.max_batched_tokens=512' -o "$folder/out" --quiet "${expected_tail[@]}" >"$work/expected"
    words_of "$script" >"$work/words"
    cmp -s "$work/expected" "$work/words" || fault "$engine: '$attack': other words: $(tr '\0' ' ' <"$work/words")"
    tr '\0' '\n' <"$CAPTURE" | grep -vxE -- '--wait|sweep\.sbatch|--will-cite|--retries|3|--halt|never|bash|sweep\.sh|:::|1|2' &&
      fault "$engine: '$attack': words of the user's among its own"
    if [ $engine = slurm ]; then
      sed 's/=1-2$/=N/' "$CAPTURE.directives" >"$work/directives"
      [ -f "$work/directives.first" ] || cp "$work/directives" "$work/directives.first"
      cmp -s "$work/directives" "$work/directives.first" || fault "slurm: '$attack': other directives"
    fi
  done
done
[ -z "$(find "$work" -name '*PWNED*' ! -path "$work/in/*" -print -quit)" ] || fault "a word was run as a command"

# Control characters could not be seen in a script: they are refused before anything is written.
for attack in $'a\nb' $'#SBATCH\n#SBATCH --wrap=id' $'\r' $'\x1b[2J' $'\x7f' $'\t'; do
  for engine in slurm parallel; do
    for what in folder set; do
      rm -rf "$work/out" "$work/o"*
      out=$work/out set=name=x
      [ $what = folder ] && out=$work/o$attack || set="name=\"x$attack\""
      PATH=$work/bin:$PATH "$stowage" sweep "$work/study.yaml" --set "$set" -o "$out" --engine $engine --tasks 2 >"$work/log" 2>&1
      code=$?
      [ $code = 2 ] && grep -q 'control character' "$work/log" && [ "$(wc -l <"$work/log")" = 1 ] ||
        fault "$engine, $what: a control character: exit $code: $(cat -v "$work/log")"
      ! LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]' "$work/log" || fault "$engine: a raw control character in the message"
      [ -e "$out/sweep.sh" ] || [ -e "$out/sweep.sbatch" ] && fault "$engine: a script was written all the same"
    done
  done
done

# GNU parallel itself, where it is installed.
if real=$(command -v parallel) && "$real" --version 2>/dev/null | grep -q 'GNU parallel'; then
  for attack in 'a b' '{}' '{1}' '{#}' '{= system("touch PWNED") =}' "it's" '$(touch PWNED)' ':::' '%'; do
    folder=$work/real/x$attack
    rm -rf "$work/real" && mkdir -p "$folder" && cp "$work/study.yaml" "$folder/study.yaml"
    "$stowage" sweep "$folder/study.yaml" --quiet -o "$folder/out" --engine parallel --tasks 2 >"$work/log" 2>&1 ||
      fault "GNU parallel: '$attack': $(cat "$work/log")"
    cmp -s "$work/plain/sweep.csv" "$folder/out/sweep.csv" || fault "GNU parallel: '$attack': another table"
  done
fi
[ $faults = 0 ] || { echo "$faults fault(s)"; exit 1; }
