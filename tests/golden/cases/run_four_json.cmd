# The contract's JSON, whole.
stowage run inputs/four.yaml --format json
