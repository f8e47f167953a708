stowage trace info inputs/good.csv --format json
