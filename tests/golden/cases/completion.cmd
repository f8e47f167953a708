stowage completion bash >stowage.bash && bash -n stowage.bash && . ./stowage.bash && complete -p stowage
COMP_WORDS=(stowage tr) COMP_CWORD=1; _stowage; echo "${COMPREPLY[*]}"
COMP_WORDS=(stowage trace '') COMP_CWORD=2; _stowage; echo "${COMPREPLY[*]}"
COMP_WORDS=(stowage run --as) COMP_CWORD=2; _stowage; echo "${COMPREPLY[*]}"
COMP_WORDS=(stowage run --set mem) COMP_CWORD=3; _stowage; echo "${COMPREPLY[*]}"
COMP_WORDS=(stowage sweep s.yaml --vary cluster.t) COMP_CWORD=4; _stowage; echo "${COMPREPLY[*]}"
COMP_WORDS=(stowage plan s.yaml --set prob) COMP_CWORD=4; _stowage; echo "${COMPREPLY[*]}"
stowage completion tcsh
