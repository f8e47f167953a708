# Every run says how long it took: once, wall_s was always 0.
stowage run inputs/four.yaml --format json | grep -o '"wall_s": *[0-9.e-]*' | grep -vcE ': *0(\.0)?$'
