# What was not measured is no number: null, an empty field, a dash. Of a run that served nobody, and of one whose
# outputs have one token, so that no gap between tokens exists; and what reads such results takes them.
none='workload={requests: [{prompt: 9000, output: 1, count: 3}]}'
short='workload={requests: [{prompt: 10, output: 1, count: 3}]}'
stowage run inputs/four.yaml --set "$none" --set 'managers=[{kind: paged}]' --format json -o none |
  grep -E '"(p50|p99|mean|max|count|achieved_s)"'
cmp <(grep -v wall_s none/summary.json | grep -c null) <(echo 33) && echo "33 nulls in summary.json"
stowage run inputs/four.yaml --set "$none" --set 'managers=[{kind: paged}]' --format csv 2>/dev/null
stowage run inputs/four.yaml --set "$none" --set 'managers=[{kind: paged}]' --format markdown 2>/dev/null | grep -E "p50|p99|mean"
stowage run inputs/four.yaml --set "$short" --set 'managers=[{kind: paged}]' --format json -o short | grep -A7 -E '"(tbt|tpot)_s"'
stowage report none && stowage report short && echo "pages again"
stowage compare none short | tail -12
stowage compare none short --format csv | tail -3
stowage sweep inputs/four.yaml --vary 'workload.requests[0].output=1,9000' --set 'managers=[{kind: paged}]' --format csv | cut -d, -f 1-5,11-21,33-
stowage sweep inputs/four.yaml --vary 'workload.requests[0].output=1,9000' --set 'managers=[{kind: paged}]' --format markdown -o sweep
