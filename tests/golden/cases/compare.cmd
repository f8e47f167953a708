# Two results side by side; --assert-slo asks of B.
stowage run scenarios/four-requests.yaml -o a --quiet --set 'slo={ttft_p99: 1s}' >/dev/null
stowage run scenarios/four-requests.yaml -o b --quiet --set 'slo={ttft_p99: 10ms}' --set scheduler.max_batch=2 >/dev/null
stowage compare a b --assert-slo
echo "code $?"
stowage compare a
echo "code $?"
stowage compare a nowhere
echo "code $?"
