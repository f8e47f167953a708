stowage trace convert inputs/good.csv
stowage trace convert inputs/good.csv -o canonical.csv && stowage trace convert canonical.csv -o again.csv && cmp canonical.csv again.csv && echo same
stowage trace convert inputs/good.csv -o canonical.csv
