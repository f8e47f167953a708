# Only an empty value removes a key. What YAML reads as less than was typed is an error that says how to quote it.
for value in '#5' '%x' '---' '!' '&a' '&a 2' '2 #5' 'null' '~' '--- 2' '[1, 2] #3' '*a'; do
  stowage run inputs/trace.yaml --set "workload.rate_scale=$value"; echo "code $?"
done
stowage run inputs/trace.yaml --set 'name="#5"' | grep '#5'
stowage check inputs/trace.yaml --set workload.limit=
# A key that the study varies cannot be set beside it: its own values would win.
for set in hardware= hardware=l40s scheduler.max_batch=7 'scheduler={max_batch: 7}' 'scheduler={max_model_len: 4096}'; do
  stowage check inputs/study.yaml --set "$set"; echo "code $?"
done
stowage sweep inputs/four.yaml --set scheduler.max_batch=7 --vary scheduler.max_batch=1,2
stowage sweep inputs/four.yaml --seed 7 --vary seed=1,2
stowage sweep inputs/four.yaml --set 'managers[0].block_size=32' --vary 'managers=[{kind: paged}]'
