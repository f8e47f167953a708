#!/usr/bin/env bash
# check_pages.sh MAKE_PAGES STOWAGE FOLDER: writes the pages, then looks at each in headless Chromium. 77 = skipped.
set -euo pipefail
make_pages=$1 stowage=$2 folder=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rm -rf "$folder"
"$make_pages" "$folder"
[ ! -x "$stowage" ] || bash "$here/cli_pages.sh" "$stowage" "$folder"
browser=${CHROMIUM:-}
for name in chromium chromium-browser google-chrome; do
  [ -n "$browser" ] || browser=$(command -v "$name" || true)
done
[ -n "$browser" ] || { echo "SKIPPED: no Chromium (apt-get install chromium); the pages lie in $folder"; exit 77; }
command -v node >/dev/null || { echo "SKIPPED: no node (apt-get install nodejs); the pages lie in $folder"; exit 77; }
exec node "$here/check_pages.mjs" "$browser" "$folder"
