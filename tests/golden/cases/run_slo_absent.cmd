stowage run inputs/trace.yaml --assert-slo
