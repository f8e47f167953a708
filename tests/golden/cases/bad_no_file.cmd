stowage run inputs/absent.yaml
