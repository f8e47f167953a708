# An L40S is priced by its spec sheet, an A100 by published kernel times: the decision says whom that flatters.
cat >study.yaml <<'END'
name: Two kinds of prices
scenario:
  model: llama-3-8b
  hardware: l40s
  workload: {synthetic: {rate: 4/s, count: 400, prompt: 500, output: 50}}
  scheduler: {max_batch: 64, max_batched_tokens: 2048, max_model_len: 2048}
  managers: [{kind: paged}]
space: {hardware: [l40s, a100-80gb]}
slo: {ttft_p99: 2s}
probe: {requests: 400, precision: 5%}
search: {draws: 10}
prices: {l40s: {usd_per_node_hour: 1, gpus_per_node: 1}, a100-80gb: {usd_per_node_hour: 8, gpus_per_node: 1}}
END
stowage plan study.yaml --quiet | sed -n '1,/^$/p; /^note: l40s/,/^$/p'
stowage plan study.yaml --quiet --set prices.l40s.usd_per_node_hour=100 | sed -n '1,/^$/p'
