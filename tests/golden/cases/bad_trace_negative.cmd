stowage run inputs/trace.yaml --set workload.trace=inputs/negative.csv -o out
code=$?
ls -A
exit $code
