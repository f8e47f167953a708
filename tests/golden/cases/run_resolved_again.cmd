# resolved.yaml runs to the same result, and resolves to itself.
stowage run inputs/four.yaml -o a >/dev/null && stowage run a/resolved.yaml -o b >/dev/null
cmp a/resolved.yaml b/resolved.yaml && cmp a/requests.csv b/requests.csv && echo same
