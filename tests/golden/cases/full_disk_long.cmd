# A result larger than the stream's buffer fails while it is written, for the same reason.
stowage run inputs/four.yaml --format json --quiet >/dev/full
