stowage run inputs/four.yaml inputs/trace.yaml
