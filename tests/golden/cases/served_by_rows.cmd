# The targets of a run, counted again from requests.csv: a request without a row was not served, and stands behind all
# others. The rank of p is ceil(p n / 100), in whole numbers.
for length in 600 800 900 2048; do
  stowage run inputs/study-run.yaml --set scheduler.max_model_len=$length -o out --force --format json >result.json
  submitted=$(grep -m1 -oE '"submitted": [0-9]+' result.json | grep -oE '[0-9]+')
  echo "max_model_len $length: $submitted requests, $(($(wc -l <out/requests.csv) - 1)) served"
  for p in 50 90 95 99 100; do
    by_rows=$(tail -n +2 out/requests.csv | cut -d, -f 10 | sort -n |
      awk -v p=$p -v n=$submitted '{ e2e[NR] = $1 } END { k = int((p * n + 99) / 100); print (k in e2e ? e2e[k] / 1e9 : "never") }')
    key=e2e_p$p; [ $p = 100 ] && key=e2e_max
    said=$(grep -A3 "\"key\": \"$key\"" result.json)
    awk -v rows=$by_rows -v said="$said" -v key=$key 'BEGIN {
      match(said, /"achieved_s": [^,]*/); got = substr(said, RSTART + 14, RLENGTH - 14); met = said ~ /"met": true/
      alike = rows == "never" ? got == "null" : got > 0 && rows / got < 1.01 && rows / got > 0.99
      right = met == (rows != "never" && rows <= 3)
      print key, rows == "never" ? "never" : "a time", met ? "met" : "missed", alike && right ? "as counted" : "WRONG: " rows " " said }'
  done
done
