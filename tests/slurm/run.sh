#!/usr/bin/env bash
# A sweep on a real Slurm of four nodes, one of which is lost in the middle: the table must be that of a local sweep, to
# the byte. Starts the cluster on this machine and stops it again. Exits 77 (skipped) where Slurm is not installed or
# may not be started.
set -uo pipefail
stowage=$(realpath "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
skip() { echo "skipped: $*"; exit 77; }
for program in slurmctld slurmd sbatch scontrol squeue munge munged; do
  PATH=$PATH:/usr/sbin command -v $program >/dev/null || skip "$program is not installed (apt-get install slurm-wlm munge)"
done
[ "$(id -u)" = 0 ] || skip "starting slurmd needs root"
export PATH=$PATH:/usr/sbin
work=$(mktemp -d)
export SLURM_CONF=$work/slurm.conf
started_munge=no

finish() {
  local pid
  scancel --user=root 2>/dev/null
  for pid in "$work"/run/*.pid; do [ -f "$pid" ] && kill "$(cat "$pid")" 2>/dev/null; done
  [ $started_munge = yes ] && [ -f /run/munge/munged.pid ] && kill "$(cat /run/munge/munged.pid)" 2>/dev/null
  sleep 1
  rm -rf "$work"
}
trap finish EXIT

mkdir -p "$work"/{state,log,run,spool/n1,spool/n2,spool/n3,spool/n4}
chmod 755 "$work"
port=$((20000 + $$ % 10000))
sed "s#@DIR@#$work#g; s#@HOST@#$(hostname -s)#g; s#@PORT@#$port#g; s#@NODEPORTS@#$((port + 1))-$((port + 4))#g" \
  "$here/slurm.conf.in" >"$SLURM_CONF"
if ! munge -n >/dev/null 2>&1; then
  [ -f /etc/munge/munge.key ] || mungekey --create 2>/dev/null || skip "no munge key"
  install -d -o munge -g munge -m 755 /run/munge || skip "no user munge"
  runuser -u munge -- "$(command -v munged)" 2>/dev/null || skip "munged does not start"
  started_munge=yes
fi
slurmctld -c -f "$SLURM_CONF" 2>/dev/null || skip "slurmctld does not start"
for n in n1 n2 n3 n4; do slurmd -N $n -f "$SLURM_CONF" 2>/dev/null || skip "slurmd does not start"; done
for _ in $(seq 150); do [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 4 ] && break; sleep 0.2; done
[ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 4 ] || skip "the four nodes do not come up: $(sinfo -h 2>&1 | head -2)"

# Points of about a second each, so that a node can be lost between two of them.
cat >"$work/study.yaml" <<'END'
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  workload: {synthetic: {preset: azure-conv-2023, arrivals: poisson, count: 150000}}
  managers: [{kind: paged}, {kind: vattention}]
space:
  workload.rate_scale: 0.5..2:6
  scheduler.max_batch: [64, 256]
END
sweep=("$stowage" sweep "$work/study.yaml" --quiet)
"${sweep[@]}" -o "$work/local" || { echo "the local sweep failed"; exit 1; }

"${sweep[@]}" -o "$work/slurm" --engine slurm --tasks 6 >"$work/out" 2>&1 &
engine=$!
lost=no
for _ in $(seq 600); do
  # The first node that has a finished point behind it and another one under way.
  if [ $lost = no ] && grep -lq '"point"' "$work"/slurm/journal-* 2>/dev/null; then
    node=$(squeue -h -t R -o %N 2>/dev/null | head -1)
    if [ -n "$node" ]; then
      jobs=$(squeue -h -w "$node" -o %A 2>/dev/null)
      for job in $jobs; do  # the step's own processes, by their parent: a node that burns down takes them along
        for step in $(ps -eo pid,args | awk -v j="slurmstepd: [$job." 'index($0, j) {print $1}'); do
          kids=$(ps -eo pid,ppid | awk -v p="$step" '{up[$1] = $2} END {for (i in up) for (q = i; q in up && q > 1; q = up[q]) if (up[q] == p) {print i; break}}')
          kill -9 "$step" $kids 2>/dev/null
        done
      done
      kill -9 "$(cat "$work/run/slurmd-$node.pid")" && lost=yes
      echo "lost node $node with job(s) $(echo $jobs)"
    fi
  fi
  kill -0 $engine 2>/dev/null || break
  sleep 0.2
done
wait $engine
code=$?
cat "$work/out"
[ $code = 0 ] || { echo "the sweep on Slurm exited with $code"; tail -5 "$work"/slurm/slurm/*.log; exit 1; }
[ $lost = yes ] || { echo "no node was lost: the test shows nothing"; exit 1; }
cmp "$work/local/sweep.csv" "$work/slurm/sweep.csv" || exit 1
grep -h "mended\|point" "$work"/slurm/slurm/*.log | head -3
echo "the table of the sweep on Slurm is that of the local one, to the byte ($(wc -c <"$work/local/sweep.csv") bytes)"
