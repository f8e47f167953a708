stowage check inputs/four.yaml inputs/trace.yaml
