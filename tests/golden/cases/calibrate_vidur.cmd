# Published tables to a profile: its errors, what it lacks, the head of the file; then it prices a run
stowage calibrate --vidur inputs/vidur -o a40.yaml
head -16 a40.yaml
stowage run inputs/published.yaml --quiet --format markdown | tail -12
