# Not one request fits the pool: infeasible.
stowage run inputs/four.yaml --set memory.kv_pool=64MiB --set 'managers=[{kind: paged}]'
