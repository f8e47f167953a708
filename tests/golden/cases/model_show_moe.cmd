# Experts, latent attention, windows and quantized weights in words.
stowage model show deepseek-v3
stowage model show gpt-oss-20b
stowage model show mixtral-8x7b --format json
