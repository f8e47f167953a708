stowage run inputs/trace.yaml --set workload.trace=inputs/empty.csv -o out
code=$?
ls -A
exit $code
