# The same bytes for any number of threads.
for jobs in 1 2 7; do stowage run inputs/four.yaml -o out$jobs --jobs $jobs >shown$jobs; done
for f in requests.csv memory.csv resolved.yaml; do cmp out1/$f out2/$f && cmp out1/$f out7/$f && echo $f same; done
for f in summary.json; do diff <(sed '/wall_s/d' out1/$f) <(sed '/wall_s/d' out7/$f) && echo $f same; done
cmp shown1 shown7 && echo terminal same
