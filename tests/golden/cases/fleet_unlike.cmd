# Groups of unlike replicas, some under vLLM's names; then one that cannot hold the model.
stowage run inputs/four.yaml --format json --set 'cluster={router: least-kv, groups: [{replicas: 1}, {hardware: a100-80gb, tensor_parallel_size: 2, weight: 3}]}' \
  --set 'managers=[{kind: paged}]' --set scheduler.max_num_seqs=4 | sed -n '/"imbalance"/,/^ *],$/p'
stowage check scenarios/four-requests.yaml --set 'cluster={groups: [{replicas: 2, tensor: 4}, {hardware: l4, tensor: 4}]}' --set model=llama-3-70b --set memory=
