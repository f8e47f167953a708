#!/usr/bin/env bash
# Is the tree as docs/design.md says? tidy.sh CHECK [ROOT]; prints each fault as file:line: what, and exits 1.
#   includes   #include lines keep to the direction of the folders
#   cycles     no two folders include each other, directly or through others; sub-folders count singly
#   size       lines of at most 120 columns, source files of at most 400 lines, of the core (sim/) 300
#   banned     nothing but cli prints, exits or asks the clock; random numbers come from base/rng
#   headers    every header compiles alone ($CXX, or c++)
#   promises   every test that docs/reliability.md names is there
#   semantics  every rule of docs/semantics.md is cited by a test, and every rule cited exists
set -uo pipefail
check=${1:?usage: tidy.sh includes|cycles|size|banned|headers|promises|semantics [ROOT]}
cd "${2:-$(dirname "${BASH_SOURCE[0]}")/../..}" || exit 2
export LC_ALL=C.UTF-8

folders=(base models traces sim scenario planner calibrate reports gpu_probe cli)
sources() {
  local folder
  for folder in "${folders[@]}"; do
    [ -d "$folder" ] && find "$folder" -type f \( -name '*.cpp' -o -name '*.hpp' -o -name '*.cu' -o -name '*.cuh' \)
  done | grep -v '/node_modules/' | sort
}

# What a folder may include, itself aside.
allowed() {
  case $1 in
    base) echo ;;
    models | traces) echo base ;;
    sim) echo base models ;;
    scenario) echo base models traces sim ;;
    planner) echo base models traces sim scenario ;;
    calibrate) echo base models traces sim scenario ;;
    reports) echo base sim/result.hpp sim/latency.hpp sim/slo.hpp sim/kv/registry.hpp ;;
    gpu_probe) echo base ;;
    gpu_probe/replay) echo base models traces sim scenario gpu_probe reports/json.hpp ;;
    cli) echo base models traces sim scenario planner calibrate reports ;;
  esac
}

faults=0
fault() { printf '%s\n' "$*"; faults=$((faults + 1)); }

check_includes() {
  local file folder line path ok
  while IFS=: read -r file line path; do
    folder=${file%%/*}
    [[ $file == gpu_probe/replay/* ]] && folder=gpu_probe/replay
    path=${path#*\"}; path=${path%\"*}
    [[ $path == "${file%%/*}"/* && ! ($folder == gpu_probe && $path == gpu_probe/replay/*) ]] && continue
    ok=no
    for may in $(allowed "$folder"); do [[ $path == "$may" || $path == "$may"/* ]] && ok=yes; done
    [ $ok = yes ] || fault "$file:$line: $folder must not include $path (it may: $(allowed "$folder"))"
  done < <(sources | xargs grep -HnE '^ *# *include *"')
}

# scenario/keys counts as scenario: a row of its tables fills a member of the scenario, which is read by those rows.
check_cycles() {
  local line
  while read -r line; do fault "$line"; done < <(
    sources | xargs grep -HE '^ *# *include *"[^"]+/' |
      sed -E 's|^([^:]*)/[^/:]*:.*"(.*)/[^/"]*".*|\1 \2|' |
      awk '{ for (i = 1; i <= 2; i++) sub("^scenario/keys$", "scenario", $i) } $1 != $2' | sort -u | tsort 2>&1 >/dev/null |
      sed -E 's/.*input contains a loop:/include cycle of folders:/; s/^tsort: //')
}

check_size() {
  local files lines file most line
  files=$({ sources; find tests bench -type f \( -name '*.cpp' -o -name '*.hpp' \) 2>/dev/null; } |
    grep -v '^tests/tidy/bad/' | sort)
  while read -r lines file; do
    most=400
    [[ $file == sim/* ]] && most=300
    [ "$lines" -gt $most ] && fault "$file:1: $lines lines; $most at most: is it one thing?"
  done < <(xargs wc -l <<<"$files" | grep -v ' total$')
  while read -r line; do fault "$line: longer than 120 columns"; done < <(
    xargs grep -HnE '^.{121,}' <<<"$files" | grep -oE '^[^:]+:[0-9]+')
}

# base/error.cpp may abort: a failed assertion has nobody to throw to. gpu_probe is a program of its own: it measures.
check_banned() {
  local pattern='\b(rand|srand|rand_r|drand48|time|clock|localtime|gmtime|exit|_exit|quick_exit|abort|printf|puts)[ ]*\('
  pattern+='|std::(cout|cerr|clog|random_device|mt19937|system_clock|(uniform|normal|exponential|gamma)_[a-z_]*distribution)'
  pattern+='|system_clock|\bf(printf|puts)[ ]*\([ ]*(stdout|stderr)|fputs[ ]*\(.*std(out|err)'
  local file hit
  while read -r file; do
    case $file in cli/* | base/error.cpp | gpu_probe/*) continue ;; esac
    while IFS=: read -r hit text; do
      fault "$file:$hit: only cli prints, exits, or asks for the time or the system's random numbers: ${text#"${text%%[! ]*}"}"
    done < <(sed -E 's://.*::; s/"([^"\\]|\\.)*"/""/g' "$file" | grep -nE "$pattern")
  done < <(sources)
}

# A .cpp that includes its own header first proves it with every build; the other headers are compiled here.
check_headers() {
  local file cpp first alone=()
  while read -r file; do
    [[ $file == *.hpp ]] || continue
    grep -q '^#pragma once' "$file" || fault "$file:1: no #pragma once"
    cpp=${file%.hpp}.cpp
    first=$(grep -m1 -E '^ *# *include' "$cpp" 2>/dev/null)
    [[ $first == "#include \"$file\"" ]] && continue
    [[ $file == gpu_probe/* ]] && continue  # may need the CUDA headers, which are optional
    alone+=("$file")
  done < <(sources)
  [ ${#alone[@]} -eq 0 ] && return
  while IFS= read -r message; do fault "$message (must compile alone)"; done < <(
    printf '%s\n' "${alone[@]}" | xargs -P "$(nproc)" -I{} sh -c \
      '"${CXX:-c++}" -std=c++20 -fsyntax-only -I. -x c++ "$1" 2>&1 | grep -m1 -E "error:|fatal"' sh {})
}

# A rule is a row "| S3.4 | one sentence | example |". The oracle is written from the page, so it does not count as a test.
check_semantics() {
  local page=docs/semantics.md number rule row words section last='' next hit
  declare -A known=() cited=()
  while IFS='|' read -r row number rule _; do
    number=${number// /}
    section=${number%.*}
    [ "$section" = "$last" ] && next=$((next + 1)) || next=1
    last=$section
    [ "$number" = "$section.$next" ] || fault "$page:${row%:}: $number; $section.$next is the next rule of its section"
    words=$(tr ' ' '\n' <<<"$rule" | grep -c '[A-Za-z]')
    [ "$words" -le 25 ] || fault "$page:${row%:}: $number has $words words; 25 at most"
    known[$number]=${row%:}
  done < <(grep -nE '^\| S[0-9]+\.[0-9]+ \|' "$page")
  while IFS=: read -r file line hit; do
    [ -n "${known[$hit]:-}" ] || fault "$file:$line: $hit is no rule of $page"
    case $file in tests/oracle/* | tests/tidy/*) ;; tests/*) cited[$hit]=yes ;; esac
  done < <({ sources; find docs tests -type f \( -name '*.[ch]pp' -o -name '*.md' -o -name '*.yaml' \) 2>/dev/null; } |
    grep -v '^tests/tidy/bad/' | xargs grep -HnoE '\bS[0-9]+\.[0-9]+\b')
  while read -r hit; do fault "$hit"; done < <(for number in "${!known[@]}"; do
    [ -n "${cited[$number]:-}" ] || echo "$page:${known[$number]}: no test cites $number"
  done | sort -t: -k2n)
  while IFS=: read -r file line _; do fault "$file:$line: cite rules by their numbers, not by section"; done < <(
    { sources; find docs -name '*.md' 2>/dev/null; } | xargs grep -HniE 'semantics[^|.]{0,14}section')
}

# unit_sim.Slo.* is a TEST of the suite Slo, golden.served_* a case, any other name stands in a CMakeLists.txt or a script.
check_promises() {
  local page=docs/reliability.md line name rest suite
  while IFS=: read -r line name; do
    name=${name//\`/} rest=${name#*.}
    case $name in
      golden.*) compgen -G "tests/golden/cases/$rest.cmd" >/dev/null ;;
      unit_*.*.* | fuzz.*.*)
        suite=${rest%%.*} rest=${rest#*.}
        grep -rqE "^TEST(_F|_P)?\\(${suite//\*/[A-Za-z]*}, ${rest//\*/[A-Za-z_]*}\\)" tests ;;
      *) grep -rqw -- "${rest%.\*}" tests --include=CMakeLists.txt --include='*.sh' --include='*.cpp' ;;
    esac || fault "$page:$line: there is no test $name"
  done < <(grep -noE '`[a-z_*]+\.[A-Za-z_]*[A-Za-z_.*]+`' "$page" | grep -vE '\.(md|json|yaml|csv|cpp|html)`')
}

"check_$check"
[ "$faults" -eq 0 ] || { echo "$faults fault(s)"; exit 1; }
