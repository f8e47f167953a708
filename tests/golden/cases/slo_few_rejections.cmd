# One of 200 is no percentile's business up to p99, but a maximum's.
w='workload={requests: [{prompt: 9000, output: 1}, {prompt: 10, output: 2, count: 199}]}'
stowage run inputs/four.yaml --set "$w" --set 'managers=[{kind: paged}]' --assert-slo | sed -n 1,14p
stowage run inputs/four.yaml --set "$w" --set 'managers=[{kind: paged}]' --set 'slo={ttft_max: 1s}' --assert-slo >/dev/null
