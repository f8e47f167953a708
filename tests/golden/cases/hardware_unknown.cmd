stowage hardware show h100
