stowage trace synth azure-conv-2023 --count 5 --seed 7
stowage trace synth azure-conv-2024
