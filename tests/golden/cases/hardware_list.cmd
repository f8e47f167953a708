stowage hardware list
