# None in a pipe, unless forced; NO_COLOR is stronger.
count() { grep -c "$(printf '\033')" || true; }
NO_COLOR= stowage run inputs/four.yaml | count
NO_COLOR= CLICOLOR_FORCE=1 stowage run inputs/four.yaml | count
NO_COLOR=1 CLICOLOR_FORCE=1 stowage run inputs/four.yaml | count
stowage run inputs/four.yaml | wc -l
