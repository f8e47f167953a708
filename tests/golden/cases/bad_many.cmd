# Everything that is wrong with a file, in one go.
stowage run inputs/many_errors.yaml
