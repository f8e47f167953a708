stowage run inputs/four.yaml -o out >/dev/null
head -c 300 out/trace.perfetto.json
