stowage run inputs/four.yaml -o inputs/four.yaml
