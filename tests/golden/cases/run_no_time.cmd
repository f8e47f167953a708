# Steps that cost nothing: no time passes, and there is no rate.
free='cost={source: linear, base: 0s}'
stowage run inputs/four.yaml --set "$free" --set 'managers=[{kind: paged}]' | grep -E 'serves|requests/s|tokens/s|makespan'
stowage run inputs/four.yaml --set "$free" --set 'managers=[{kind: paged}]' --format json | grep -E 'per_s"|makespan'
