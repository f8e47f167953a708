# Published tables to a profile: its errors, what it lacks, the head of the file; then it prices a run
stowage calibrate --vidur inputs/vidur -o inputs/a40.yaml
head -16 inputs/a40.yaml
stowage run inputs/published.yaml --quiet | grep -A1 -E "^(cost|note)"
