# What a killed command left beside the folder is cleared away by the next one; what is somebody else's stays.
mkdir -p .out.stowage/new && touch .out.stowage/lock .out.stowage/new/report.html .out.stowage/requests.csv.1.part
stowage run inputs/four.yaml -o out --quiet >/dev/null && ls -A . out
touch out/notes.txt
stowage run inputs/four.yaml -o out --quiet
stowage run inputs/four.yaml -o out --quiet --force >/dev/null && ls -A . out

# Killed while it moved files into a folder with notes of others: the marker says that the new result counts.
stowage run inputs/four.yaml --set 'workload.requests[0].count=5' --iterations -o new --quiet >/dev/null
stowage run inputs/four.yaml --set 'workload.requests[0].count=6' -o out --force --quiet --iterations >/dev/null
mkdir -p out/.stowage/old
cp -r new out/.stowage/new
for name in $(ls new); do echo "new $name"; done >out/.stowage/files
echo "gone trace.perfetto.json" >>out/.stowage/files
rm out/.stowage/new/trace.perfetto.json
mv out/report.html out/.stowage/old && mv out/.stowage/new/report.html out
stowage compare new out --format json | grep -A3 '"requests/completed": \['
stowage report new new -o one.html >/dev/null
stowage report out out -o two.html >/dev/null
sed 's/new/out/g' one.html | cmp - <(sed 's/new/out/g' two.html)
# The next command with this folder ends the move.
stowage report out
ls -A out
for name in $(ls new | grep -v trace); do cmp new/$name out/$name; done
