# Under overload with preemptions: submitted = completed + rejected, and each request that is not rejected has one row.
stowage run scenarios/azure-conv-2023.yaml --set workload.rate_scale=4 -o out --format json |
  awk '/"submitted"/ {s = $2 + 0} /"completed"/ {c = $2 + 0} /"rejected": [0-9]/ {r = $2 + 0}
       /"unfinished"/ {print (s == c + r + $2 && s == 19366 ? "all accounted for" : "lost some")}'
awk -F, 'NR > 1 { rows[$1]++; if (seen[$1, $2]++) twice++ } END { print rows["reserve-max"], rows["paged-16"], rows["vattention-2MiB"], twice + 0, "twice" }' out/requests.csv
