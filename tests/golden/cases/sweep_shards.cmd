# Parts on their own, put together: the table of a sweep in one piece. A hole is named, exit code 5.
sweep="stowage sweep scenarios/four-requests.yaml --vary scheduler.max_batch=1..6 --quiet"
$sweep -o whole
for i in 1 2 3; do $sweep -o parts --shard $i/3; done
$sweep -o parts --merge
cmp whole/sweep.csv parts/sweep.csv && echo "the same"
rm parts/journal-2-of-3 parts/sweep.csv
$sweep -o parts --merge
echo "code $?"
ls parts
