# Each refusal names the option and the mend.
stowage fit
stowage fit --model llama-3-8b
stowage fit --model llama-3-8b --hardware h100-sxm-80gb --engine vllm-0.5
stowage fit --model llama-3-8b --hardware h100-sxm-80gb --tensor 3
stowage fit --model llama-3-8b --hardware h100-sxm-80gb --pipeline 33
stowage fit --model llama-3-8b --hardware h100-sxm-80gb --expert 2
stowage fit --model mixtral-8x7b --hardware h100-sxm-80gb --data 16 --expert 16
stowage fit --model llama-3-70b --hardware rtx-4090 --tensor 8
stowage fit --model llama-3-8b --hardware h100-sxm-80gb --utilization 1.5
stowage fit --model llama-3-8b --hardware h100-sxm-80gb --weights 15
stowage fit --model llama-3-8b --hardware h100-sxm-80gb --scenario scenarios/azure-conv-2023.yaml
stowage fit --model llama-3-70b --hardware h100-sxm-80gb
echo "exit code $?"
stowage model show llama-3-8b --tensor 2
stowage model show llama-3-8b --graph svg
