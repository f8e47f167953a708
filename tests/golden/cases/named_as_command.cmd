# A folder may be called as a command is.
stowage run inputs/four.yaml -o plan >/dev/null
stowage report plan
