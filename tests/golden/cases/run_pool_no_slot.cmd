stowage run inputs/four.yaml --set memory.kv_pool=512MiB
