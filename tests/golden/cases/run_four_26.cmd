# One token more: 1,025 stored tokens need a 65th block, and a second page in each tensor.
stowage run inputs/four.yaml --set 'workload.requests[0].output=26' --format json | grep -E '"(name|peak_committed_bytes|iterations|makespan_s)"'
