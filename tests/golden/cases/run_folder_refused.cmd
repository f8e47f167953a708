# A folder that holds results is left alone.
stowage run inputs/four.yaml -o out --quiet >/dev/null
before=$(cat out/* | cksum)
stowage run inputs/four.yaml --set 'workload.requests[0].count=5' -o out; code=$?
[ "$before" = "$(cat out/* | cksum)" ] && echo untouched
ls -A out
exit $code
