# Damaged tables, a folder that is not Vidur's, options that do not go together
stowage calibrate --vidur inputs/vidur-torn; echo "exit code $?" >&2
stowage calibrate --vidur scenarios; echo "exit code $?" >&2
stowage calibrate --vidur absent; echo "exit code $?" >&2
stowage calibrate --vidur inputs/vidur --hardware l4; echo "exit code $?" >&2
stowage calibrate --vidur inputs/vidur probe.json; echo "exit code $?" >&2
