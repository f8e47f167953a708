stowage run inputs/four.yaml --set slo.tbt_p99=5ms --assert-slo >/dev/null
