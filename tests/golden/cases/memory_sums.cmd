# live + reserved + internal + cached + external + free = pool, in every bin and in the means; in iterations.csv live and
# held bytes: held + cached + external + free = pool, and live never exceeds held.
for s in scenarios/*.yaml; do
  stowage run $s -o out --force --iterations --format json >result.json
  pool=$(grep -m1 -oE '"pool_bytes": [0-9]+' result.json | grep -oE '[0-9]+')
  awk -F, -v pool=$pool 'NR > 1 { sum = $4 + $5 + $6 + $7 + $8 + $9; off = sum - pool; if (off < 0) off = -off
    if (off > pool * 1e-9) bad++ } END { print FILENAME, (NR > 1 ? "rows" : "empty"), bad + 0, "wrong" }' out/memory.csv
  awk -F, -v pool=$pool 'NR > 1 { if ($12 + $13 + $14 + $15 != pool || $11 > $12) bad++ }
    END { print FILENAME, (NR > 1 ? "rows" : "empty"), bad + 0, "wrong" }' out/iterations.csv
done
