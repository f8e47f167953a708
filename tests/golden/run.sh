#!/usr/bin/env bash
# Runs golden cases: run.sh STOWAGE CASE.cmd... compares, run.sh --update STOWAGE CASE.cmd... rewrites what is expected.
# A case is a shell script (comments, then commands) run in an empty folder that has `scenarios` and `inputs`; its exit
# code, stdout and stderr must be those of CASE.expected. What may differ between two runs is replaced by a name.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
update=no
[ "${1:-}" = --update ] && { update=yes; shift; }
stowage=$(realpath "$1") || exit 2
shift
export PATH="$(dirname "$stowage"):$PATH" LC_ALL=C.UTF-8 NO_COLOR=1
unset COLUMNS
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

normalised() {
  sed -E -e 's/"wall_s": *[0-9.e+-]+/"wall_s": WALL/' -e "s|$work|WORK|g" \
    -e 's/stowage [0-9]+\.[0-9]+\.[0-9]+( \([0-9a-f]+(\+changes)?\))?/stowage VERSION/g' "$1"
}

status=0
for case in "$@"; do
  case=$(realpath "$case")
  folder=$work/run
  rm -rf "$folder" && mkdir "$folder"
  ln -s "$here/../../scenarios" "$folder/scenarios"
  cp -r "$here/inputs" "$folder/inputs"
  (cd "$folder" && bash "$case" >"$work/stdout" 2>"$work/stderr" </dev/null)
  code=$?
  {
    echo "exit code $code"
    echo "--- stdout"
    normalised "$work/stdout"
    echo "--- stderr"
    normalised "$work/stderr"
  } >"$work/found"
  expected=${case%.cmd}.expected
  if [ $update = yes ]; then
    cp "$work/found" "$expected"
  elif ! diff -u "$expected" "$work/found"; then
    echo "FAILED: $case; if the new output is right: tests/golden/run.sh --update $stowage $case" >&2
    status=1
  fi
done
exit $status
