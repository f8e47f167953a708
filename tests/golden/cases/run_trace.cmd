stowage run inputs/trace.yaml --format json | grep -E '"(submitted|completed|makespan_s)"'
