stowage run inputs/four.yaml --set memory.kv_pol=8GiB --set cost.base=10 --set 'managers[1].block_size=0'
