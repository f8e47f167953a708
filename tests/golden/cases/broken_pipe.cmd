# A reader that goes away is no error.
stowage trace synth azure-conv-2023 --count 200000 | head -1
echo "${PIPESTATUS[@]}"
