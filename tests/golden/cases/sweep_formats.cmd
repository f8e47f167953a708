# The same spelling of formats as elsewhere: CSV is sweep.csv, Markdown for a ticket; a part has neither.
sweep="stowage sweep scenarios/four-requests.yaml --vary scheduler.max_batch=2,4 --vary memory.kv_pool=8GiB,256MiB --quiet"
$sweep -o out
$sweep -o out --format csv >table.csv
cmp table.csv out/sweep.csv && echo "the same as sweep.csv"
$sweep --format csv | cmp - out/sweep.csv && echo "without a folder too"
$sweep --format markdown
$sweep -o out --format json | head -c 30; echo
stowage sweep scenarios/four-requests.yaml --vary scheduler.max_batch=2,4 -o part --shard 1/2 --format json
