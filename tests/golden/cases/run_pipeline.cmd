# Stages, experts and links in a scenario: priced and pooled, what is approximated said.
sed -e 's/^model:.*/model: mixtral-8x7b/' scenarios/azure-conv-2023.yaml > moe.yaml
stowage run moe.yaml --set cluster.tensor=2 --set cluster.pipeline=3 --set 'workload={requests: [{prompt: 1000, output: 25, count: 4}]}' --quiet
stowage check moe.yaml --set cluster.tensor=16
stowage check moe.yaml --set cluster.tensor=8 --set hardware=l40s --set cluster.pipeline=2
