stowage check inputs/four.yaml --set memory='{utilization: 0.9}' --set model=opt-175b
