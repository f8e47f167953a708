# A point that cannot be is a row with its reason.
stowage sweep scenarios/four-requests.yaml --vary scheduler.max_batch=2,4 --vary memory.kv_pool=8GiB,256MiB
