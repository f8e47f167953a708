# What run refuses, every command refuses, with the same words: keys and values of the workload in every kind of study.
for workload in 'rate_scael: 9' 'rate_scale: -1' 'rate_scale: nan' 'rate_scale: abc' 'rate_scale: 1-8' 'limit: -3' 'foo: 1'; do
  sed "s/good.csv}/inputs\/good.csv, $workload}/" inputs/trace.yaml >bad.yaml
  echo 'slo: {ttft_p99: 1s}' >>bad.yaml
  printf 'scenario: bad.yaml\nspace: {scheduler.max_batch: [8, 16]}\n' >study.yaml
  stowage run bad.yaml 2>said
  cat said
  for command in 'check bad.yaml' 'plan bad.yaml' 'sweep bad.yaml' 'fit --scenario bad.yaml' \
    'check study.yaml' 'plan study.yaml' 'sweep study.yaml' 'sweep bad.yaml --vary scheduler.max_batch=8,16'; do
    stowage $command 2>error
    [ $? = 2 ] && cmp said error || { echo "$command:"; cat error; }
  done
  stowage sweep inputs/trace.yaml --vary "workload.${workload/: /=}"
done
# So do the targets of a scenario: a plan, which knows more of them, has no other words for a wrong one.
sed 's/good.csv/inputs\/good.csv/' inputs/trace.yaml >bad.yaml
echo 'slo: {ttft_p98: 1s, tbt_maen: 1s, e2e_p99: 1}' >>bad.yaml
stowage run bad.yaml 2>said
cat said
for command in check plan sweep; do stowage $command bad.yaml 2>&1 | cmp said - || echo "$command"; done
# The second value of an axis is as wrong as the first.
stowage sweep inputs/trace.yaml --vary workload.rate_scale=1,-1,nan,abc --vary scheduler.max_batch=8,0
# A study that holds mistakes, beside others that come from its space.
cat >study.yaml <<'EOF'
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  workload: {rate_scael: 4, synthetic: {rate: 5/s, count: 200, prompt: 100, output: 20}}
  managers: [{kind: paged}]
space:
  hardware: [h100-sxm-80gb, a100-40bg]
  managers:
    - [{kind: paged}]
    - [{kind: paged, blok_size: 16}]
slo: {ttft_p99: 1s}
EOF
for command in check plan sweep; do stowage $command study.yaml; echo "$command $?"; done
