# A comparison as CSV and Markdown; keys asked differently are cut where they are many.
stowage run inputs/four.yaml -o a --quiet >/dev/null
stowage run inputs/four.yaml -o b --quiet --set scheduler.max_batch=2 >/dev/null
stowage compare a b --format csv | head -9
stowage compare a b --format markdown | head -18
stowage compare a b --format json | grep -c '"metric"'
requests=$(for i in $(seq 30); do printf '{at: %ds, prompt: 9, output: 2}, ' "$i"; done)
stowage run inputs/four.yaml -o c --quiet --set "workload.requests=[$requests]" >/dev/null
stowage compare a c | sed -n '/^asked/,/^$/p' | tail -3
stowage compare a b --format xml
