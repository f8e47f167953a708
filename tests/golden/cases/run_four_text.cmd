stowage run inputs/four.yaml
