# The line of prices names every GPU of a mixed fleet, each once.
stowage run inputs/four.yaml --set cost= --set memory= --set 'managers=[{kind: paged}]' \
  --set 'cluster={groups: [{replicas: 1}, {hardware: h200}, {hardware: a100-80gb}, {replicas: 2}]}' --format json | grep -E '"(cost_source|evidence)"|"source"' | head -3
stowage run inputs/four.yaml --set cost= --set memory= --set 'managers=[{kind: paged}]' \
  --set 'cluster={groups: [{replicas: 1}, {hardware: h200}]}' | grep '^cost'
