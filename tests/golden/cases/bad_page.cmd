stowage run inputs/four.yaml --set 'managers[2].page=1KiB'
