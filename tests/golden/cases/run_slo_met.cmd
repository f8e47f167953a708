stowage run inputs/four.yaml --assert-slo >/dev/null
