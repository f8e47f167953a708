# Sourced by validation.sh, online.sh and answer.sh, which set $probe, $scenarios, $out and status=0.
# one NAME SCENARIO OPTIONS…: replays $scenarios/SCENARIO.yaml into $out/NAME and prints what it gave. A failure goes into
# $status and the next one runs; an interruption ends all.
one() {
  local name=$1 scenario=$2 start=$SECONDS code
  shift 2
  # shellcheck disable=SC2086
  "$probe" replay "$scenarios/$scenario.yaml" -o "$out/$name" "$@" ${REPLAY_OPTIONS:-} >"$out/$name.log" 2>&1
  code=$?
  echo "== $name: $*, exit $code, $((SECONDS - start)) s"
  grep -vE ' pass of |^written' "$out/$name.log"
  case $code in
    0) ;;
    130 | 143) exit $code ;;
    *) status=$code ;;
  esac
}
