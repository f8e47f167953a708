# A sweep judges each run by the scenario's slo, by the rule of `run`; one that serves nobody at all exits 4.
stowage sweep inputs/four.yaml --vary scheduler.max_model_len=1024,2048,8192 --vary 'slo.ttft_p99=1s,1ms' \
  --set 'managers=[{kind: paged}]' --set 'workload={requests: [{prompt: 1000, output: 25, count: 4}, {prompt: 3000, output: 2}]}' \
  -o out | sed -n 1,3p
cut -d, -f 1-9,34- out/sweep.csv
stowage sweep inputs/four.yaml --vary scheduler.max_model_len=100,200 --set 'managers=[{kind: paged}]'
echo "code $?"
