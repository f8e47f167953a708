stowage
