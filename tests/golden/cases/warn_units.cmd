# A column arrival_ns that holds milliseconds: ten requests a second look like ten million. Said by every command, on
# stderr, in the JSON of trace info and among the notes of reports; the result stands.
stowage trace info inputs/milliseconds.csv
stowage trace info inputs/milliseconds.csv --format json | grep -A2 warnings
stowage trace info inputs/good.csv --format json 2>&1 | grep -A2 warnings
stowage trace convert inputs/milliseconds.csv -o converted.csv && wc -l <converted.csv
trace='workload={trace: inputs/milliseconds.csv}'
stowage run inputs/four.yaml --set "$trace" --set 'managers=[{kind: paged}]' -o out | grep -A2 note
grep -A2 '"notes"' out/summary.json
grep -c 'are they milliseconds' out/report.html
stowage check inputs/four.yaml --set "$trace"
stowage sweep inputs/four.yaml --set "$trace" --set 'managers=[{kind: paged}]' --vary scheduler.max_batch=1,2 --format csv | wc -l
stowage plan inputs/study.yaml --set "$trace" --set demand=5/s --quiet 2>&1 | grep -E "milliseconds|warning"
stowage run inputs/four.yaml --set 'workload={synthetic: {rate: 900000/s, count: 200, prompt: 100, output: 2}}' --set 'managers=[{kind: paged}]' --format csv | wc -l
