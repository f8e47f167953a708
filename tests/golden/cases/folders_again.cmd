# The same command writes the same bytes: no file holds a time of the day, a time it took or the name of its folder.
set -e
jobs=1
for again in a b; do
  stowage run inputs/four.yaml --iterations -o run-$again --quiet >/dev/null
  stowage plan inputs/study.yaml -orun-plan-$again --quiet --jobs $jobs >/dev/null
  stowage compare run-a run-a --output=compare-$again >/dev/null
  stowage sweep inputs/four.yaml --vary scheduler.max_batch=1..12 -o sweep-$again --quiet >/dev/null
  stowage report run-a run-a -o both-$again.html >/dev/null
  jobs=2
done
diff -r run-a run-b && diff -r run-plan-a run-plan-b && diff -r compare-a compare-b && diff -r sweep-a sweep-b
cmp both-a.html both-b.html
stowage run inputs/four.yaml --iterations -o run-a --force --jobs 1 >/dev/null
diff -r run-a run-b
grep -rl wall_s . --include='*.json' --include='*.html' | wc -l
