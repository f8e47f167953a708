# Nothing is left behind by a scenario that cannot be run.
stowage run inputs/many_errors.yaml -o out 2>/dev/null; echo $?
ls -A
