stowage run inputs/four.yaml -o out >/dev/null
head -3 out/trace.perfetto.json
