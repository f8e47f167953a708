stowage trace info inputs/good.csv
