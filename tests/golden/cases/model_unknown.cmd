stowage model show lama-3-8b
