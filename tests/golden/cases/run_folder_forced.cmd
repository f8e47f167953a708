stowage run inputs/four.yaml -o out --iterations >/dev/null
stowage run inputs/four.yaml --set 'workload.requests[0].count=5' -o out --force | head -3
ls -A out
grep -c paged out/requests.csv
