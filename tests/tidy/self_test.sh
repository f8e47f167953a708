#!/usr/bin/env bash
# tidy.sh must find each fault of bad/ and nothing else: FILE:LINE of what it says, check by check.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
status=0
expect() {
  local check=$1 wanted=$2 found
  found=$(./tidy.sh "$check" bad | grep -oE '^[a-z/_]+\.[a-z]+:[0-9]+' | sort -u | paste -sd ' ')
  if [ "$found" = "$wanted" ]; then echo "$check: ok"; else echo "$check: wanted '$wanted', found '$found'"; status=1; fi
}
expect includes 'base/prints.cpp:2'
expect size 'sim/long.cpp:1 sim/wide.hpp:3'
expect banned 'base/prints.cpp:4'
expect headers 'models/alone.hpp:1'
expect promises 'docs/reliability.md:4 docs/reliability.md:5'
expect semantics 'base/prints.cpp:1 docs/semantics.md:4 docs/semantics.md:5 docs/semantics.md:6 tests/cites.cpp:2'
# The cycle of bad/ has no line of its own: its folders are named.
found=$(./tidy.sh cycles bad | grep -oE '^(sim|models)/[a-z]+$' | sort | paste -sd ' ')
if [ "$found" = "models/cost models/llm sim/kv sim/serve" ]; then echo "cycles: ok"; else echo "cycles: found '$found'"; status=1; fi
exit $status
