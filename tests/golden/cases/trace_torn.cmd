stowage trace info inputs/torn.csv
