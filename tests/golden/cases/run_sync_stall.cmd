# 64 tensors x 4 requests x 40 us = 10.24 ms before the first step.
stowage run inputs/four.yaml --set 'cost.vmm={map: 2us, set_access: 38us, unmap: 0us}' --format json | grep -E '"(name|stall_s|busy_s|map_calls|makespan_s)"'
