# Longer than max_model_len: rejected, counted, listed; the others are served.
stowage run inputs/four.yaml --set 'workload.requests=[{prompt: 9000, output: 1}, {prompt: 10, output: 2}]' --set 'managers=[{kind: paged}]' --format json | grep -A3 -E '"(submitted|completed|rejected|first_rejected)"'
