stowage trace infos inputs/good.csv
