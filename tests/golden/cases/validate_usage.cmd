stowage validate
stowage validate nowhere
stowage validate --engine-log bench.json
stowage validate inputs/four.yaml --scenario inputs/four.yaml
stowage validate inputs/four.yaml
