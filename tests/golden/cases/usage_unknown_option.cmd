stowage run inputs/four.yaml --jbos 2
