stowage completion bash >stowage.bash && bash -n stowage.bash && . ./stowage.bash && complete -p stowage
COMP_WORDS=(stowage tr) COMP_CWORD=1; _stowage; echo "${COMPREPLY[*]}"
COMP_WORDS=(stowage trace '') COMP_CWORD=2; _stowage; echo "${COMPREPLY[*]}"
COMP_WORDS=(stowage run --as) COMP_CWORD=2; _stowage; echo "${COMPREPLY[*]}"
stowage completion tcsh
