stowage run
