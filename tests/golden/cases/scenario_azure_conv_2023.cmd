# At its own rate the managers look alike; at four times it they part.
stowage run scenarios/azure-conv-2023.yaml
stowage run scenarios/azure-conv-2023.yaml --set workload.rate_scale=4
