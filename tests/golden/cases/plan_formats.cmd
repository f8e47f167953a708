# A plan in the terminal: 100 columns, the decision and what it rests on within 40 lines; then every form of it.
stowage plan inputs/study.yaml --quiet >text
sed '/^study:/,$d' text | wc -l
awk '{ if (length($0) > 100) print "too long: " $0 }' text
stowage plan inputs/study.yaml --quiet --commands | sed -n '/^to get them/,$p'
stowage plan inputs/study.yaml --quiet -o out --format csv >stdout.csv
cmp stdout.csv out/plan.csv && echo "the same as plan.csv"
stowage plan inputs/study.yaml --quiet --format markdown
stowage plan inputs/study.yaml --quiet --format html
