stowage run inputs/duplicate.yaml
