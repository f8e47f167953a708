stowage run inputs/four.yaml --iterations
