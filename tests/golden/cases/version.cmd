stowage --version | head -1
