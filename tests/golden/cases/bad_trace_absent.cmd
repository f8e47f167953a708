stowage run inputs/trace.yaml --set workload.trace=absent.csv
