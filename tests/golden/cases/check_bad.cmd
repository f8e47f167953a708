# The faults of all files; the good one is still reported.
stowage check inputs/many_errors.yaml inputs/four.yaml inputs/absent.yaml
