# A killed run leaves hidden parts: the next run clears them away, but not what is somebody else's.
mkdir out && touch out/.requests.csv.123.0.part out/.memory.csv.123.0.part
stowage run inputs/four.yaml -o out --quiet >/dev/null && ls -A out
mkdir mine && touch mine/.requests.csv.123.0.part mine/notes.txt
stowage run inputs/four.yaml -o mine --quiet
ls -A mine
