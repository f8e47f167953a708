# Nothing meets the SLO: what binds, by how much, exit code 4.
stowage plan inputs/study.yaml --set 'slo={ttft_p99: 1ms}' --quiet | head -3
echo "code ${PIPESTATUS[0]}"
stowage plan inputs/study.yaml --set 'limits={gpus: 8}' --set growth=50 --quiet | head -3
echo "code ${PIPESTATUS[0]}"
