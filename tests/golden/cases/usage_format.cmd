stowage run inputs/four.yaml --format xml
