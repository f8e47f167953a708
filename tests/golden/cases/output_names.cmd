# A name for -o that is empty or moves a cursor is refused by every command; one that is read is shown with its escapes.
for command in "run inputs/four.yaml" "sweep inputs/four.yaml" "compare a b" "calibrate probe.json"; do
  stowage $command -o ''
  echo "code $?"
done
stowage run inputs/four.yaml -o $'e\e[2J' --quiet
echo "code $?"
stowage run inputs/four.yaml -o a --quiet >/dev/null
mv a $'e\e[2J'
for format in text csv markdown; do
  stowage compare $'e\e[2J' $'e\e[2J' --format $format | grep -c $'\e'
done
true
