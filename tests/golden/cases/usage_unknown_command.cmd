stowage rum inputs/four.yaml
