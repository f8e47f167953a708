stowage hardware show h100-sxm-80gb --format json
