# Ctrl-C: 130, and nothing is left half-written.
timeout --preserve-status -s INT 1 stowage run inputs/long.yaml -o out; echo $?
timeout --preserve-status -s TERM 1 stowage run inputs/long.yaml -o out; code=$?
ls -A
exit $code
