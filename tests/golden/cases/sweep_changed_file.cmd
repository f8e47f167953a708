# A trace that changed since the sweep began is refused by name, whichever part goes on; back as it was, the sweep ends.
printf 'arrival_ns,prompt_tokens,output_tokens\n0,10,2\n1000000000,20,3\n' >t.csv
sweep() { stowage sweep inputs/four.yaml --set 'workload={trace: t.csv}' --vary scheduler.max_batch=4,8 -o out --quiet "$@"; echo "code $?"; }
sweep --shard 1/2
cp t.csv before.csv
echo 2000000000,5,5 >>t.csv
sweep --shard 1/2
sweep --shard 2/2
sweep --merge
sweep
mv before.csv t.csv
sweep --shard 2/2
sweep --merge | tail -1
cut -d, -f 1-5 out/sweep.csv
