stowage run scenarios/long-context.yaml
