# The same bytes for any number of threads.
stowage plan inputs/study.yaml --format json --jobs 1 >one.json
stowage plan inputs/study.yaml --format json --jobs 2 >two.json
cmp one.json two.json && echo "the same"
