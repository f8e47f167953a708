# Ctrl-C: 130, SIGTERM: 143, whatever the command does just then; nothing is left half-written.
signals() {  # program, signals...: sends them when the program takes them
  local pid=$1; shift
  until [[ $(sed -n 's/^SigCgt://p' /proc/$pid/status 2>/dev/null) == *[2367abef] ]]; do sleep 0.02; done
  sleep 0.2
  for signal in "$@"; do kill -$signal $pid 2>/dev/null; done
  wait $pid
  echo "$? of $*"
}
for twice in INT TERM "INT INT" "TERM TERM"; do
  stowage run inputs/long.yaml -o out & signals $! $twice
done
ls -A
stowage sweep inputs/long.yaml --set workload.synthetic.count=30000000 --vary scheduler.max_batch=1,2 -o swept &
until [ -s swept/journal-1-of-1 ]; do sleep 0.02; done
signals $! TERM
ls -A swept
# It waits for a pipe that nobody opens.
mkfifo pipe
for command in "run pipe" "plan pipe" "check pipe" "calibrate pipe -o out.yaml" "trace info pipe" \
  "validate --engine-log pipe --scenario inputs/four.yaml --report out.html" "trace convert pipe -o out.csv" \
  "compare pipe pipe" "fit --scenario pipe" "model show ./pipe"; do
  stowage $command >/dev/null & signals $! INT
done
mkdir result && mkfifo result/report.json
stowage report result & signals $! INT
ls -A
