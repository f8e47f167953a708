stowage run inputs/trace.yaml --set workload.trace=inputs/absurd.csv -o out
code=$?
ls -A
exit $code
