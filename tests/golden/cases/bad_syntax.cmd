stowage run inputs/syntax.yaml
