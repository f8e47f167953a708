# vLLM of 2023, 10 ms a step: two requests decode from 10 ms on; two prompts that arrive at 25 ms run alone from 30 and 40
# (8,000 tokens each, 8,192 a step), so that the longest gap is 30 to 60 ms, and 25 outputs take 1 + 24 + 2 steps.
cat >two.yaml <<'END'
model: llama-3-8b
hardware: h100-sxm-80gb
memory: {kv_pool: 8GiB}
workload: {requests: [{prompt: 1000, output: 25, count: 2}, {at: 25ms, prompt: 8000, output: 1, count: 2}]}
scheduler: {policy: prefill-first, max_batch: 64, max_batched_tokens: 8192, max_model_len: 8192}
cost: {source: linear, base: 10ms}
managers: [{kind: paged, watermark: 1%}]
slo: {ttft_p99: 1s, tbt_p99: 50ms}
END
stowage check two.yaml
stowage run two.yaml
stowage run two.yaml -o out --iterations --quiet >out.txt
cut -d, -f1-10 out/iterations.csv | head -8
grep scheduler out/resolved.yaml
stowage run out/resolved.yaml --format csv >again.csv; stowage run two.yaml --format csv | cmp - again.csv && echo "the same"
# Whole prompts only.
stowage run two.yaml --set scheduler.chunked_prefill=true --set scheduler.max_batch=9k
echo "code $?"
# An old schedule with today's defaults is said to be one.
stowage run two.yaml --set engine=vllm-0.19 | grep -A1 'prompts first'
