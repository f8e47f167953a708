#!/usr/bin/env bash
# pictures.sh REPORT.html FOLDER: the pictures of docs/reports.md, from the page of the shipped scenario.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$2"
browser=${CHROMIUM:-$(command -v chromium || command -v google-chrome)}
exec node "$here/pictures.mjs" "$browser" "$1" "$2"
