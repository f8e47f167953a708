# Of a fleet, requests.csv says which replica; with a front end, what the client saw: 10 ms before the queue.
stowage run scenarios/four-requests.yaml --quiet --set cluster.replicas=2 --set frontend.per_request=10ms --set 'managers=[{kind: paged}]' -o out
cat out/requests.csv
