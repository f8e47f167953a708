# Killed in the middle again and again, a sweep goes on where it was and ends with the same table.
sweep="stowage sweep scenarios/azure-conv-2023.yaml --quiet --jobs 2 --vary workload.rate_scale=0.5..3:40"
set_="workload={synthetic: {preset: azure-conv-2023, count: 3000}}"
$sweep --set "$set_" -o whole >/dev/null
for wait in 0.1 0.05 0.2 0.15; do
  $sweep --set "$set_" -o killed >/dev/null 2>&1 &
  sleep $wait
  kill -9 $! 2>/dev/null
  wait $! 2>/dev/null
done 2>/dev/null
$sweep --set "$set_" -o killed >/dev/null 2>&1
cmp whole/sweep.csv killed/sweep.csv && echo "the same"
# No record twice: what was done was not done again, but for what was in flight.
echo "$(($(cat killed/journal-* | wc -l) - 1)) records"
