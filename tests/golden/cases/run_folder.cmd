stowage run inputs/four.yaml -o out --iterations >shown
ls -A out
head -3 out/requests.csv out/iterations.csv out/memory.csv
stowage run inputs/four.yaml --format json >direct; diff <(sed '/wall_s/d' out/summary.json) <(sed '/wall_s/d' direct) && echo same
