# What is changed, and that a change that cannot be made is null.
stowage run inputs/four.yaml --sensitivity --format json | sed -n '/"sensitivity"/,/^  }/p' | grep -E '"(what|change|set|note|of)"|null'
