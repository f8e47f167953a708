# A model with states beside keys and values: shown by kind of layer, its memory counted, its steps not simulated.
mkdir hybrid && echo '{"model_type": "qwen3_5_text", "hidden_size": 4096, "num_hidden_layers": 32,
  "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 256, "intermediate_size": 12288,
  "vocab_size": 248320, "max_position_embeddings": 262144, "linear_num_value_heads": 32,
  "torch_dtype": "bfloat16"}' > hybrid/config.json
stowage model show hybrid
stowage fit --model hybrid/config.json --hardware h100-sxm-80gb --engine vllm-0.19
sed 's|^model: .*|model: hybrid/config.json|' scenarios/four-requests.yaml > mine.yaml
stowage run mine.yaml
stowage model show Qwen/Qwen3-8B-Instruct | head -1
stowage model show Qwen/Qwen3-8B-FP8
