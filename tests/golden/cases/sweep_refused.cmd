# Two sweeps in one folder, a bad part, a part without a folder, an empty axis, an unknown engine.
stowage sweep scenarios/four-requests.yaml --vary scheduler.max_batch=1,2 -o out --quiet
stowage sweep scenarios/four-requests.yaml --vary scheduler.max_batch=1,3 -o out --quiet 2>&1 | sed -E 's/[0-9a-f]{16}/DIGEST/g'
stowage sweep scenarios/four-requests.yaml --vary scheduler.max_batch=1,2 -o out --shard 3/2
stowage sweep scenarios/four-requests.yaml --vary scheduler.max_batch=1,2 --shard 1/2
stowage sweep scenarios/four-requests.yaml --vary scheduler.max_batch
stowage sweep scenarios/four-requests.yaml --vary scheduler.max_batch=1,1
stowage sweep scenarios/four-requests.yaml --vary scheduler.max_batch=1,2 -o out --engine slrm
# Where another command's results lie.
stowage run inputs/four.yaml -o run --quiet >/dev/null
stowage sweep scenarios/four-requests.yaml --vary scheduler.max_batch=1,2 -o run --quiet
