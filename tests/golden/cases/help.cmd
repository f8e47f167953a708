stowage --help | head -1; stowage run --help | grep -c -e --assert-slo
