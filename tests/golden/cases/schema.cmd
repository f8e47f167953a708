# The shape of each file, as JSON; and a kind that has none.
for kind in scenario study summary; do stowage schema $kind | sed -n '1,4p'; done
stowage schema scenario | grep -A9 '"router"'
stowage schema scenarios
