# The whole of a plan, and its files.
stowage plan inputs/study.yaml -o out --quiet
ls out
head -4 out/plan.csv
