# The log of an engine's steps against the simulator's decisions: equal; one that says otherwise; what cannot be read.
stowage validate inputs/logged --steps
cd inputs
stowage validate logged/ten-steps/ --steps --format json
sed -i 's/^7,22100,22110,24000,24050,1,1,64,1,1,3,14,$/7,22100,22110,24000,24050,1,1,64,2,0,4,,/' logged/ten-steps/steps.csv
stowage validate logged --steps
stowage validate logged
stowage validate logged --steps --profile p.yaml
stowage validate --steps
stowage validate . --steps
sed -i 's/14:48+16/99:48+16/' logged/ten-steps/steps.csv
stowage validate logged --steps
