# Removing what is not there is fine, what nobody knows is not; at the top, in a map, in a list.
stowage check inputs/four.yaml --set seed= --set slo.ttft_p99= --set cluster= --set 'managers[1].watermark='
stowage check inputs/four.yaml --set foo= --set scheduler.max_bach= --set 'managers[1].page='
