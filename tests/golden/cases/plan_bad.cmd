# Everything wrong with a study, in one go; then what only the whole can tell.
cat >bad.yaml <<'END'
scenario: {model: llama-3-8b, hardware: h100-sxm-80gb, workload: {synthetic: {rate: 5/s, count: 200, prompt: 10, output: 5}}, managers: [{kind: paged}]}
space:
  cluster.tensor: []
  scheduler.max_batch: [1..0]
slo:
  ttft_p50: 2s
  ttft_p99: 1s
  tfft_p90: 1s
growht: 2
demand: 5
END
stowage plan bad.yaml
echo "code $?"
stowage plan inputs/study.yaml --set prices.a100-40gb=
echo "code $?"
stowage plan inputs/study.yaml --vary workload.rate_scale=1,2
echo "code $?"
printf 'scenario: inputs/four.yaml\nspace: {cluster.tenser: [1, 2]}\nslo: {ttft_p99: 1s}\n' >typo.yaml
stowage plan typo.yaml
echo "code $?"
# Axes that decide nothing, or that undo each other.
stowage plan inputs/study.yaml --vary serving=aggregated,disaggregated
echo "code $?"
stowage plan inputs/study.yaml --vary cluster.router=random,least-kv
echo "code $?"
stowage plan inputs/study.yaml --vary 'scheduler={policy: vllm},{max_batch: 8}'
echo "code $?"
