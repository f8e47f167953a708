# live + reserved + internal + cached + external + free = pool, in every bin and in the means; in iterations.csv live and
# held bytes: held + cached + external + free = pool, and live never exceeds held.
for s in scenarios/*.yaml; do
  stowage run $s -o out --force --iterations --format json >result.json
  pool=$(grep -m1 -oE '"pool_bytes": [0-9]+' result.json | grep -oE '[0-9]+')
  awk -F, -v pool=$pool 'NR > 1 { sum = $4 + $5 + $6 + $7 + $8 + $9; off = sum - pool; if (off < 0) off = -off
    if (off > pool * 1e-9) bad++ } END { print FILENAME, (NR > 1 ? "rows" : "empty"), bad + 0, "wrong" }' out/memory.csv
  # Of the fleet (eight alike) each row is one replica's.
  awk -F, -v pool=$pool 'NR == 1 && $2 == "replica" { o = 1; pool /= 8 }
    NR > 1 { if ($(12 + o) + $(13 + o) + $(14 + o) + $(15 + o) != pool || $(11 + o) > $(12 + o)) bad++ }
    END { print FILENAME, (NR > 1 ? "rows" : "empty"), bad + 0, "wrong" }' out/iterations.csv
done
