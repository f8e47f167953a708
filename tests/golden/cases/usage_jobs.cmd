stowage run inputs/four.yaml --jobs zero
