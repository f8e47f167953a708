# vLLM's own figures, to the token (its issue 12330); and a log that tells nothing.
cat > vllm.log <<'LOG'
INFO 01-22 worker.py:241] the current vLLM instance can use total_gpu_memory (39.50GiB) x gpu_memory_utilization (0.90) = 35.55GiB
INFO 01-22 worker.py:241] model weights take 14.96GiB; non_torch_memory takes 0.10GiB; PyTorch activation peak memory takes 9.37GiB; the rest of the memory reserved for KV Cache is 11.12GiB.
INFO 01-22 gpu_executor.py:76] # GPU blocks: 5691, # CPU blocks: 2048
LOG
stowage fit --model llama-3-8b --hardware a100-40gb --from-vllm-log vllm.log | head -n 9
echo nothing > vllm.log
stowage fit --model llama-3-8b --hardware a100-40gb --from-vllm-log vllm.log
