# Every shipped study is one.
stowage check scenarios/studies/*.yaml scenarios/papers/vidur-*.yaml
stowage check inputs/study.yaml --set growth=0
