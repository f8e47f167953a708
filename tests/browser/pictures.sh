#!/usr/bin/env bash
# pictures.sh REPORT.html FOLDER: pictures for docs/, from the page of a run, a plan or a sweep of a shipped scenario.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$2"
browser=${CHROMIUM:-$(command -v chromium || command -v google-chrome)}
exec node "$here/pictures.mjs" "$browser" "$1" "$2"
