stowage run inputs/trace.yaml --set workload.trace=inputs/torn.csv -o out
code=$?
ls -A
exit $code
