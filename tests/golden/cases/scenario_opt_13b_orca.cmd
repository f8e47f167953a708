stowage run scenarios/opt-13b-orca.yaml
