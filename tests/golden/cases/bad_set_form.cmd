stowage run inputs/four.yaml --set memory
