# The keys that programs read; a mixture of experts over a pipeline; fp8 KV.
stowage fit --model mixtral-8x7b --hardware h100-sxm-80gb --tensor 2 --pipeline 2 --kv-dtype float8 --format json |
  python3 -c 'import json, sys
d = json.load(sys.stdin)
print(sorted(d), sorted(d["budget"]), d["pool_tokens"], d["pool_bytes"], d["kv_bytes_per_token"])
for m in d["managers"]: print(m["name"], m["max_sequences"], m["waste_bytes_per_request"])'
