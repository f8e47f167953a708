stowage run inputs/trace.yaml --set workload.trace=inputs/unknown.csv -o out
code=$?
ls -A
exit $code
