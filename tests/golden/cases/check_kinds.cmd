# Scenario, model and hardware files are told apart by their keys.
stowage check scenarios/*.yaml inputs/tiny-model.yaml inputs/config.json
