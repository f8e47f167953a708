# The log's requests take the place of the scenario's workload, and still nothing is taken there that `run` refuses.
echo '{"duration": 3, "completed": 1, "failed": 0, "model_id": "m", "input_lens": [500], "output_lens": [2],
 "ttfts": [0.08], "itls": [[0.01]], "start_times": [1000.5], "errors": [""]}' >bench.json
sed 's/prompt: [0-9]*/prompt: -500/' scenarios/four-requests.yaml >bad.yaml
stowage run bad.yaml
echo "code $?"
stowage validate --engine-log bench.json --scenario bad.yaml
echo "code $?"
printf '%s\n' 'model: llama-3-8b' 'hardware: h100-sxm-80gb' 'managers: [{kind: paged}]' >none.yaml
stowage validate --engine-log bench.json --scenario none.yaml >/dev/null
echo "without a workload: code $?"
