stowage run inputs/four.yaml --format markdown
