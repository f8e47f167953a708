# The page is made again byte for byte, from report.json alone.
stowage run inputs/four.yaml -o out --sensitivity >/dev/null
cp out/report.html before.html; rm out/report.html
stowage report out && cmp out/report.html before.html && echo same
