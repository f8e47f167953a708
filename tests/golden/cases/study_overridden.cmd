# What the scenario has where an axis stands is in no point, but `run` reads it: whatever it refuses every command refuses,
# with the same line. --vary may name the key by another of its names.
for bad in 'scheduler: {max_batch: -5}' 'scheduler: {max_num_seqs: many}' 'scheduler: {max_batch: }'; do
  sed 's/good.csv/inputs\/good.csv/' inputs/trace.yaml >bad.yaml
  printf '%s\nslo: {ttft_p99: 1s}\n' "$bad" >>bad.yaml
  printf 'scenario: bad.yaml\nspace: {scheduler.max_batch: [8, 16]}\n' >study.yaml
  stowage run bad.yaml 2>said
  cat said
  for command in 'check study.yaml' 'plan study.yaml' 'sweep study.yaml' 'sweep bad.yaml --vary scheduler.max_num_seqs=8,16'; do
    stowage $command 2>error
    [ $? = 2 ] && cmp said error || { echo "$command:"; cat error; }
  done
done
# --seed is no cure for a wrong seed.
sed 's/good.csv/inputs\/good.csv/' inputs/trace.yaml >bad.yaml
echo 'seed: one' >>bad.yaml
for command in run sweep; do stowage $command bad.yaml --seed 3; echo "$command $?"; done
# A price of a GPU that there is not; an axis by the name that was typed; an entry beyond the list.
stowage plan inputs/study.yaml --set 'prices.a100-40bg={usd_per_node_hour: 8}'
stowage sweep inputs/trace.yaml --vary scheduler.max_num_seqs=8,16 --set scheduler.max_batch=4
stowage sweep inputs/trace.yaml --vary 'managers[5].block_size=16'
# A workload without end is not drawn to be checked.
sed 's/trace: good.csv/synthetic: {arrivals: burst, count: 1000000000000, prompt: 10, output: 5}/' inputs/trace.yaml >long.yaml
printf 'scenario: long.yaml\nspace: {scheduler.max_batch: [8, 16]}\n' >study.yaml
stowage check long.yaml study.yaml
