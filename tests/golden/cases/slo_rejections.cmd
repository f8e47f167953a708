# Three of four requests are rejected: however fast the fourth is, no p99 is met.
stowage run inputs/four.yaml --set 'workload={requests: [{prompt: 9000, output: 1, count: 3}, {prompt: 10, output: 2}]}' \
  --set 'managers=[{kind: paged}]' --assert-slo | sed -n 1,20p
exit ${PIPESTATUS[0]}
