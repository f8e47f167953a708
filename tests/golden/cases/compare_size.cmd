# The page of two runs of 19,366 requests under three managers each: as much as a mail takes.
for scale in 1 4; do
  stowage run scenarios/azure-conv-2023.yaml --set workload.rate_scale=$scale -o $scale --quiet >/dev/null
done
stowage compare 1 4 -o both --format csv | wc -l
size=$(stat -c %s both/report.html)
[ "$size" -le 1700000 ] && echo small || echo "$size bytes"
