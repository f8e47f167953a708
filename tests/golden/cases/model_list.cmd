stowage model list
