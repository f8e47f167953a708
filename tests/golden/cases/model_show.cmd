stowage model show llama-3-8b
