# What fits: budget, sequences by manager, mapping, and the verdict in words.
stowage fit --model llama-3.1-8b --hardware h100-sxm-80gb --engine vllm-0.19 --utilization 0.95
stowage fit --scenario scenarios/azure-conv-2023.yaml --tensor 2 | tail -n 12
