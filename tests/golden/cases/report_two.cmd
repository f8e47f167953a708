stowage run inputs/four.yaml -o a >/dev/null
stowage run inputs/four.yaml --set 'workload.requests[0].count=5' -o b >/dev/null
stowage report a b; echo $?
stowage report a b -o both.html && grep -o 'data-chart="stack"' both.html | wc -l
stowage report a b -o both.html; echo $?
stowage report a b -o both.html --force
