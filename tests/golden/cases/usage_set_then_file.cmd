# --set takes one value, and leaves the scenario alone.
stowage run --set name=other inputs/four.yaml | head -1
