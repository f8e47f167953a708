# Requests that are not served miss the SLO in a plan as in a run, and stand in its first sentence. Of 2,000 prompts of
# 100 to 900 tokens some 60 are longer than 900 in all: too many for p99, few enough for p90.
plan() { stowage plan inputs/study.yaml --set scheduler.max_model_len=960 --set scheduler.max_batched_tokens=1024 "$@" --quiet; }
plan --set 'slo={ttft_p90: 500ms}' | sed -n 1,6p
plan --set 'slo={ttft_p90: 500ms}' --format markdown | sed -n 1,2p
plan --set 'slo={ttft_p90: 500ms}' --format json | grep -E '"(rejected|rejected_why)"' | sort | uniq -c | sort -rn | head -2
for slo in 'ttft_p99.9: 500ms' 'ttft_max: 9s' 'e2e_mean: 99s' 'tbt_p99.9: 1s' 'goodput: {share: 99.9%, ttft: 9s}'; do
  plan --set "slo={$slo}" | sed -n 1,3p
  echo "code ${PIPESTATUS[0]}"
done
stowage plan inputs/study.yaml --set scheduler.max_model_len=100 --set scheduler.max_batched_tokens=1024 --quiet
echo "code $?"
