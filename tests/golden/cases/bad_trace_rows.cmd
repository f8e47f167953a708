# Every row that cannot be read is told, at most ten by name.
{ head -3 inputs/good.csv; for i in 1 2; do echo "2023-11-16 18:15:5$i.0,x,1"; done; } >two.csv
stowage trace info two.csv
{ head -1 inputs/good.csv; for i in $(seq 1 25); do echo "2023-11-16 18:15:50.0,-1,$i"; done; } >many.csv
stowage trace info many.csv
